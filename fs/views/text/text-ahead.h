/* Has the texts of messages made ahead of a program that reads them one after
 * another (fs/bodies/scan.h): many by a few commands, as
 * fs/bodies/read-ahead.h does for messages. */
#pragma once

#include "fs/views/parts/part-maker.h"

typedef struct FsTextAhead FsTextAhead;

/* Both must outlive it. */
FsTextAhead *fs_text_ahead_new(FsAccount *account, FsPartMaker *maker);
/* After the maker. Accepts NULL. */
void fs_text_ahead_free(FsTextAhead *ahead);

/* The directory @mailbox is going to be listed. */
void fs_text_ahead_expect(FsTextAhead *ahead, guint32 mailbox);
/* The directory @mailbox was listed by the thread @by. */
void fs_text_ahead_listed(FsTextAhead *ahead, guint32 mailbox, pid_t by);
/* The message @uid was looked up, and has its text, or is about to: a program
 * that goes through the directory comes this far. */
void fs_text_ahead_passed(FsTextAhead *ahead, guint32 mailbox, guint32 uid);
/* The text of the message @uid is wanted by the thread @by, once or several
 * times in succession. */
void fs_text_ahead_opened(FsTextAhead *ahead, guint32 mailbox, guint32 uid,
                          pid_t by);
