/* What the parts of the synchroniser share: a record for each mailbox, and one
 * for the synchronisation of it that is under way. Theirs alone. */
#pragma once

#include "fs/listeners.h"
#include "fs/sync/frontier.h"
#include "fs/sync/sync-plan.h"
#include "fs/sync/synchroniser.h"
#include "imap/requests.h"
#include "imap/retry.h"

/* A mailbox holds that many messages at the most. */
#define FS_SYNC_MAX_MESSAGES (5u * 1000 * 1000)

typedef struct FsSync FsSync;
typedef struct FsFlagsPass FsFlagsPass;

typedef struct {
    FsSynchroniser *synchroniser; /* NULL once that is gone */
    guint32 id;
    FsRefresh refresh;
    gint64 changed_at;      /* microseconds since the epoch */
    gint64 synchronised_at; /* the same; 0: not yet */
    gint64 seen_at;         /* monotonic: when what is known was asked for */
    ImapRetry retry;
    gboolean seen;       /* in this mount, or tried */
    gboolean unusable;   /* the server has replaced it, and no id is left */
    guint64 uidvalidity; /* as last selected */
    guint64 next_uid;    /* from there on messages may be unknown; 0: who knows
                          */
    guint32 highest;     /* no row has a higher UID; G_MAXUINT32: who knows */

    FsSync *sync;     /* under way, or NULL; a reference */
    FsNeed *more;     /* of those who list while it is; NULL: none */
    guint32 shown_to; /* the highest UID that a listing was told of before all
                         were known */
    FsNeed *broken;   /* such a listing has turned out to be wrong; or NULL */
    gint64 broken_at; /* microseconds, monotonic */

    FsFlagsPass *flags_pass; /* under way, or NULL; a reference */
    gint64 flags_at;         /* the end of the last; microseconds, monotonic */

    GHashTable *look_ups;   /* UID -> LookUp, a reference; of single messages */
    FsNeed *failed_look_up; /* the last; or NULL */
    guint32 failed_uid;
    gint64 failed_at;       /* microseconds, monotonic */
    ImapUidSet *looked_up;  /* of which the index tells rightly; or NULL */
    gint64 looked_up_since; /* microseconds, monotonic */
} FsSyncMailbox;

struct FsSynchroniser {
    FsAccount *account;
    GHashTable *mailboxes; /* id -> FsSyncMailbox, a reference */
    FsListeners listeners; /* FsChangeFunc */
    GBytes *new_header;    /* borrowed; of the row that is being taken in */
};

/* One attempt. Every request of it holds a reference. */
struct FsSync {
    FsSyncMailbox *mailbox; /* NULL once it is over: what comes then is passed
                               over */
    char *wire_name;        /* under which it was asked for */
    ImapLease *lease;
    gint64 asked_at;     /* microseconds, monotonic: before anything was sent */
    CacheMailbox known;  /* when it began */
    CacheMailbox target; /* what will be known */
    gboolean with_header;
    gboolean can_tell; /* the server can say what changed since known */
    gboolean flags_in; /* those of the rows that were known are the target's */
    guint64 complete_to; /* a mod-sequence: all up to it was told; 0: unknown */
    guint rounds;
    guint overtaken;      /* rounds that count for nothing, as it had changed */
    guint changes_noted;  /* of the connection's mailbox, when asking began */
    guint arrivals_noted; /* likewise */
    gboolean begins_anew; /* when the mailbox has been selected again */
    gboolean repeated;    /* because of them */
    guint pending;        /* requests of the step under way */
    GError *error;        /* the first of that step's */
    ImapUidSet *vanished; /* what that step was told to be gone */

    /* The rows being fetched. */
    gboolean streaming; /* a listing may show what has come */
    gboolean fetching;
    guint32 from;       /* lower UIDs are not wanted */
    ImapUidSet *wanted; /* nor others than these; NULL: everything */
    guint fetch_range;  /* the first of wanted not yet asked for */
    guint64 rows;       /* that the FETCH has brought */
    guint64 rows_max;   /* that it may bring */
    guint64 total_rows; /* of all FETCHes */
    FsFrontier frontier;
    guint changes_seen; /* of the connection's mailbox, and its EXISTS */
    guint64 exists_seen;
    guint unannounced; /* rows */
    guint wake_source;
    ImapConnection *paused; /* a reference; NULL: it is not */

    /* Which UIDs exist, and how far that was compared with the index. */
    gboolean searched; /* @n_found agreed with EXISTS */
    guint64 n_found;   /* by the last search */
    ImapUidSet *found;
    ImapUidSet *missing;
    guint range;
    guint32 compared; /* up to this UID */
    guint compare_source;
};

/* ---- synchroniser.c ---- */

/* The record of @id, made if there is none. Borrowed. */
FsSyncMailbox *fs_sync_mailbox_of(FsSynchroniser *synchroniser, guint32 id);
FsSyncMailbox *fs_sync_mailbox_ref(FsSyncMailbox *mailbox);
void fs_sync_mailbox_unref(gpointer mailbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsSyncMailbox, fs_sync_mailbox_unref)
static inline CacheIndex *
fs_sync_index(const FsSyncMailbox *mailbox)
{
    return mailbox->synchroniser->account->index;
}

/* Whether rows have to come with headers: the options want them, or those that
 * are there have them. */
gboolean fs_sync_wants_header(FsSyncMailbox *mailbox);
/* All is known, if not the newest. */
gboolean fs_sync_is_known(FsSyncMailbox *mailbox);
/* What is known of the mailbox in the index or, of UIDVALIDITY alone, beyond
 * it. FALSE: nothing, and @known is zeroed. */
gboolean fs_sync_known(FsSyncMailbox *mailbox, CacheMailbox *known);
void fs_sync_note(FsSyncMailbox *mailbox, const CacheMailbox *known);

/* Drops what is known, and the record. */
void fs_sync_forget(FsSynchroniser *synchroniser, guint32 id);

/* ---- sync-attempt.c ---- */

void fs_sync_unref(gpointer sync);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsSync, fs_sync_unref)
/* Begins an attempt; none is under way. */
void fs_sync_begin(FsSyncMailbox *mailbox);
/* What still comes is not for it any more. */
void fs_sync_end_attempt(FsSync *sync);
/* The ends of a synchronisation: for good; after a line that was cut, with
 * another attempt; because of a server that contradicts itself. */
void fs_sync_finish(FsSync *sync, const GError *error);
void fs_sync_fail(FsSync *sync, const GError *error);
void fs_sync_finish_incomplete(FsSync *sync, const char *why);
/* Whether the mailbox has become empty while it was selected. It may also have
 * been renamed: then Cyrus tells those who have it selected that every message
 * was expunged, and only a new selection tells. */
gboolean fs_sync_seems_emptied(const FsSync *sync);
/* Selects the mailbox anew, and begins another round. */
void fs_sync_reselect(FsSync *sync);
/* The server has given the mailbox's name to another one. */
void fs_sync_replaced(FsSyncMailbox *mailbox, ImapConnection *connection);

/* ---- sync-rows.c: what the server says of messages, into the index ---- */

typedef enum {
    FS_ROW_NEW,
    FS_ROW_AGAIN, /* the index had the message */
} FsRow;
FsRow fs_sync_put(FsSyncMailbox *mailbox, const ImapFetch *fetch,
                  gboolean with_header);
/* FALSE when nothing had to be changed, as for the next one. */
gboolean fs_sync_set_flags(FsSyncMailbox *mailbox, guint32 uid,
                           const char *flags);
gboolean fs_sync_remove(FsSyncMailbox *mailbox, guint32 uid);
void fs_sync_remove_set(FsSyncMailbox *mailbox, const ImapUidSet *uids);
/* What was shown of the mailbox must not be believed any longer. */
void fs_sync_tell_all(FsSyncMailbox *mailbox);

/* ---- first-sync.c: rows as they stream in ---- */

void fs_sync_fetch_all(FsSync *sync);
/* What is wanted, missing, and not yet asked for; @last: the highest UID that
 * exists. */
void fs_sync_fetch_wanted(FsSync *sync, guint32 last);
/* Those from @uid on. */
void fs_sync_fetch_from(FsSync *sync, guint32 uid);
/* A row has come: for the synchronisation or for a look-up, whoever's request
 * it is the answer to. @listed: it came with the synchronisation's; the numbers
 * of another connection tell nothing here. */
void fs_sync_row(FsSyncMailbox *mailbox, const ImapFetch *fetch,
                 gboolean listed);
/* Who lists is woken. */
void fs_sync_wake(FsSync *sync);
/* A message turns up where listings have passed by already. */
void fs_sync_break_listings(FsSync *sync);
void fs_sync_stop_rows(FsSync *sync);

/* ---- resync.c ---- */

void fs_sync_apply(FsSync *sync, const ImapChanges *changes);
/* Asks for flags that changed since, what has vanished, and new messages. */
void fs_sync_fetch_changes(FsSync *sync, gboolean with_new);
void fs_sync_start_round(FsSync *sync);
/* What comes and goes from now on may or may not be in the answers. */
void fs_sync_note_changes(FsSync *sync);
/* All is right now, if as many messages are known as there are; else begins
 * another round. */
void fs_sync_check(FsSync *sync);
/* An answer of the step under way. */
void fs_sync_step_done(FsSync *sync, const GError *error);

/* ---- sync-flags.c ---- */

/* Reads all flags, if that is due, for servers that cannot tell which have
 * changed. Then the index has what @target says. */
void fs_sync_start_flags_pass(FsSyncMailbox *mailbox,
                              const CacheMailbox *target);
void fs_sync_stop_flags_pass(FsSyncMailbox *mailbox);

/* ---- sync-look-up.c ---- */

/* What @connection, which has the mailbox selected, says of it, if nothing else
 * is known. */
void fs_sync_note_first(FsSyncMailbox *mailbox, ImapConnection *connection);
/* The need of the look-up of @uid, begun if there is none. */
FsNeed *fs_sync_look_up(FsSyncMailbox *mailbox, guint32 uid);
gboolean fs_sync_is_looked_up(FsSyncMailbox *mailbox, guint32 uid,
                              gint64 since);
/* Whether a look-up waits for @uid; it is met by the row that has come. */
gboolean fs_sync_look_up_waits(const FsSyncMailbox *mailbox, guint32 uid);
void fs_sync_look_up_came(FsSyncMailbox *mailbox, guint32 uid);
void fs_sync_forget_looked_up(FsSyncMailbox *mailbox);
void fs_sync_fail_look_ups(FsSyncMailbox *mailbox, const GError *error);
