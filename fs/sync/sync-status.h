/* How the mailboxes of which this mount keeps a record were last brought up to
 * date. */
#pragma once

#include "fs/account.h"

typedef struct {
    guint32 mailbox;        /* id */
    guint64 uidvalidity;    /* 0: not known */
    guint messages;         /* that are known */
    gint64 synchronised_at; /* microseconds since the epoch; 0: not in this
                               mount */
    gboolean complete;      /* all messages are known, if not the newest */
    gboolean stale;         /* who wants it fresh asks the server */
    gboolean failing;       /* the last attempt has failed */
    gboolean under_way;
} FsSyncStatus;

/* Calls @func for each, before it returns, in no order. */
typedef void (*FsSyncStatusFunc)(const FsSyncStatus *status,
                                 gpointer user_data);
void fs_synchroniser_describe(FsSynchroniser *synchroniser,
                              FsSyncStatusFunc func, gpointer user_data);
