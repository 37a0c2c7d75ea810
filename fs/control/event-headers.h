/* The header fields of new messages, for who reads events, where names are made
 * without them and the server so is not asked for them otherwise. */
#pragma once

#include "fs/account.h"

typedef struct FsEventHeaders FsEventHeaders;

/* @header: the beginning of the message; NULL: it cannot be had. Borrowed. */
typedef void (*FsEventHeaderFunc)(guint32 mailbox, guint32 uid, GBytes *header,
                                  gpointer user_data);

/* @account must outlive the result. @func is called once for each that is asked
 * for, from the main loop, never inside a call. */
FsEventHeaders *fs_event_headers_new(FsAccount *account, FsEventHeaderFunc func,
                                     gpointer user_data);
/* Calls nobody any more. Accepts NULL. */
void fs_event_headers_free(FsEventHeaders *headers);

/* FALSE: so many are asked for that this one cannot be had soon. */
gboolean fs_event_headers_ask(FsEventHeaders *headers, guint32 mailbox,
                              guint32 uid);
