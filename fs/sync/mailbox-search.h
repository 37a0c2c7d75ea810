/* Which messages of a mailbox the server finds. Those among them that the index
 * does not have are listed by the way: all others of a mailbox that was never
 * listed need not be. */
#pragma once

#include "fs/account.h"
#include "imap/requests.h"

typedef struct FsMailboxSearch FsMailboxSearch;

/* Makes what is sought; @gmail: of a server that understands X-GM-RAW. The
 * caller frees it. NULL: @error. */
typedef ImapSearchProgram *(*FsSoughtFunc)(gboolean gmail, gpointer user_data,
                                           GError **error);
/* @found: borrowed, NULL on error. The index has of it what there still is. */
typedef void (*FsFoundFunc)(const ImapUidSet *found, const GError *error,
                            gpointer user_data);

/* Searches @mailbox. @found runs once, from the main loop, never inside this
 * call, and after it the result must not be used; @sought runs before that. */
FsMailboxSearch *fs_mailbox_search_new(FsSynchroniser *synchroniser,
                                       guint32 mailbox, FsSoughtFunc sought,
                                       FsFoundFunc found, gpointer user_data);
/* Neither function runs any more. Before the end of the synchroniser. */
void fs_mailbox_search_cancel(FsMailboxSearch *search);
