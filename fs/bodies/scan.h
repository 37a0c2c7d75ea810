/* Whether a program is reading the files of a directory one after another, and
 * what it will want next. Arithmetic alone: it is told what was opened, and
 * asked how far ahead to fetch.
 *
 * A program goes through a directory in some order: that of the listing, which
 * is that of UIDs (grep, tar, cp), the same from the end (rg, whose threads
 * take what was found last first), or that of names (rsync, a shell's "*").
 * Several threads open a few files out of turn. */
#pragma once

#include <glib.h>

/* ---- whether there is a scan ---- */

/* The lowest UID of the mailbox above @uid; 0: none. */
typedef guint32 (*FsScanNextFunc)(guint32 uid, gpointer user_data);

typedef enum {
    FS_SCAN_NONE,
    FS_SCAN_UP,   /* by UID */
    FS_SCAN_DOWN, /* the same, from the end */
    FS_SCAN_ELSE, /* many are opened, in neither of these orders */
} FsScanGuess;

/* What was opened of late in one mailbox, and belonged to no scan. All zero in
 * the beginning. */
typedef struct {
    struct {
        guint32 uid;
        gint64 at;
    } recent[4];      /* the last first; uid 0: none */
    gint64 listed_at; /* 0: never */
} FsScanWatch;

/* The directory was read. @now: microseconds, monotonic, as everywhere here. */
void fs_scan_watch_listed(FsScanWatch *watch, gint64 now);

/* The message @uid was opened. The first one of the mailbox begins a scan when
 * that was just listed; so does the last, if that is at once and @by_lister,
 * the program that has listed it: to open just the newest is more usual. */
FsScanGuess fs_scan_watch_opened(FsScanWatch *watch, guint32 uid, gint64 now,
                                 gboolean by_lister, FsScanNextFunc next,
                                 gpointer user_data);

/* ---- one scan ---- */

/* Positions are numbers that grow in the order of the scan. */
typedef struct FsScan FsScan;

/* A scan of which the message at @position was opened last. Each request is for
 * @growth times as many messages as the one before; the first for 16 at least.
 */
FsScan *fs_scan_new(guint32 position, guint growth);
void fs_scan_free(FsScan *scan); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsScan, fs_scan_free)

/* The message at @position was opened. FALSE when that is not near enough to
 * what was opened before to belong to the scan. */
gboolean fs_scan_opened(FsScan *scan, guint32 position);

/* The same, as far as the scan has been planned: it is known that one goes on
 * there. */
gboolean fs_scan_jump(FsScan *scan, guint32 position);

/* How many messages may be asked for now, and of how many octets in all; 0
 * while enough is on its way. At most @budget octets are under way or have come
 * and have not been opened. */
guint fs_scan_room(const FsScan *scan, guint64 budget, guint64 *octets);

/* The scan is planned up to here. */
guint32 fs_scan_planned(const FsScan *scan);
/* Whether to plan on, were it only to pass over what need not be fetched. */
gboolean fs_scan_wants_plan(const FsScan *scan);

/* What comes after fs_scan_planned lies at @position and was asked for, or need
 * not be. */
void fs_scan_request(FsScan *scan, guint32 position, guint64 octets);
void fs_scan_pass_over(FsScan *scan, guint32 position);
/* One request ends here; the next may be larger once this is being used. */
void fs_scan_end_window(FsScan *scan);

/* What was asked for and has not been opened: messages, and octets. */
guint fs_scan_outstanding(const FsScan *scan);
guint64 fs_scan_octets(const FsScan *scan);
