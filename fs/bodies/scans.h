/* The scans that go on in one mailbox (fs/bodies/scan.h), in whatever order,
 * and what is to be fetched ahead of them: be it messages, or something that is
 * made of them. */
#pragma once

#include "fs/account.h"

#include <sys/types.h>

typedef struct FsScans FsScans;

/* Who fetches. The functions run inside the calls below, or later, when the
 * order of names is known. */
typedef struct {
    /* Whether @message is to be fetched, and, if so, what that takes. */
    gboolean (*is_missing)(const CacheMessage *message, guint64 *octets,
                           gpointer user_data);
    /* How many octets may be under way, or have come and not been opened. */
    guint64 (*budget)(gpointer user_data);
    /* @message is to be fetched. @upwards: those of a window come by ascending
     * UID, which is how servers send them. */
    void (*request)(const CacheMessage *message, gboolean upwards,
                    gpointer user_data);
    /* What was requested since the last time belongs together: one scan's. */
    void (*end_window)(gpointer user_data);
    /* That was all for now. */
    void (*end_plan)(gpointer user_data);
    /* Whether something is under way: then a scan that rests waits for it. */
    gboolean (*is_busy)(gpointer user_data);
} FsScansClient;

/* @account must outlive the result. */
FsScans *fs_scans_new(FsAccount *account, guint32 mailbox,
                      const FsScansClient *client, gpointer user_data);
void fs_scans_free(FsScans *scans); /* accepts NULL */

/* The mailbox is about to be listed; and it was, by a thread (0: not known). */
void fs_scans_expect(FsScans *scans);
void fs_scans_listed(FsScans *scans, pid_t by);

/* The message @uid was opened by a thread. TRUE: a scan goes on there, or
 * begins. */
gboolean fs_scans_opened(FsScans *scans, guint32 uid, pid_t by);
/* The same of what may be no opening: none begins. */
gboolean fs_scans_passed(FsScans *scans, guint32 uid);
/* Requests what there is room for. */
void fs_scans_plan(FsScans *scans);
/* What was requested does not come: they begin again. */
void fs_scans_stop(FsScans *scans);

/* What was requested and has not been opened. */
guint64 fs_scans_octets(const FsScans *scans);
