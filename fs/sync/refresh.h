/* When to ask the server again for something that we keep a copy of.
 *
 * A copy is known or not, fresh or stale. While it is being asked for, everyone
 * waits on one need. A failure is remembered for a moment: the kernel lets
 * programs that look up the same name ask one after the other, and each would
 * have to wait for a time-out of its own. */
#pragma once

#include "fs/need.h"

/* How new a copy has to be is told by when the operation that wants it began
 * (microseconds, g_get_monotonic_time), or one of these. */
#define FS_KNOWN G_MININT64 /* however old */
#define FS_NOW G_MAXINT64   /* asked for after this call */

/* Zeroed: nothing is known. */
typedef struct {
    gboolean known;
    gboolean failing; /* the last attempt has failed */
    gint64 asked_at;  /* microseconds, monotonic; the last attempt */
    gint64 known_at;  /* the same: when what is known was asked for */
    gint64 tried_at;  /* the same: the end of the last attempt */
    gint64 put_off;  /* the same: until when what is known does; 0: it is not */
    gint64 stale_at; /* the same: when it was last said that it is old */
    FsNeed *need;    /* under way, or failed a moment ago; else NULL */
} FsRefresh;

/* NULL when there is a copy that is no older than @poll_seconds, or that was
 * asked for, with whatever success, since @since; else what to wait for
 * (borrowed). So no operation asks twice for the same thing. @line_at is when a
 * connection was last opened (imap_pool_opened_at): then no failure of the line
 * before that counts any more. *@start: the caller has to begin asking, and to
 * call fs_refresh_end when it has the answer. */
FsNeed *fs_refresh_ask(FsRefresh *refresh, gint64 since, guint poll_seconds,
                       gint64 line_at, gboolean *start);

/* The answer is there (@error NULL), or none is to be had. What is known stays
 * good when @error is the line's: then the need is met, and the next attempt
 * is put off a little. */
void fs_refresh_end(FsRefresh *refresh, const GError *error);

/* It was asked in another way, at @asked_at, whether what is known is so still,
 * and it is. Does nothing if it has been said since that it is old. TRUE if it
 * is as new as that now. */
gboolean fs_refresh_confirm(FsRefresh *refresh, gint64 asked_at);

gboolean fs_refresh_is_under_way(const FsRefresh *refresh);

/* Whether it is known as it was after @when (microseconds, monotonic), or is
 * being asked for since then: what was said of it until @when is in. */
gboolean fs_refresh_covers(const FsRefresh *refresh, gint64 when);

/* Whoever wants it fresh asks again. */
void fs_refresh_mark_stale(FsRefresh *refresh);

/* The same for whoever comes from now on, unless it is being asked for already:
 * an operation that has asked once does not ask again. */
void fs_refresh_mark_old(FsRefresh *refresh);

/* Releases what it holds. */
void fs_refresh_clear(FsRefresh *refresh);

/* Whether a failure now has to be said: while there is something to show, the
 * first of a row is enough. */
gboolean fs_refresh_is_news(const FsRefresh *refresh);
