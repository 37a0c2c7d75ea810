/* What happens, as lines of JSON for whoever reads along.
 *
 * Nobody waits for a reader: each has a queue, and when that is full, what it
 * misses is counted, and told in its place as an event of kind "error". Readers
 * share the lines. Knows neither FUSE nor the account. */
#pragma once

#include <glib.h>

/* What a reader that does not read may have waiting. */
#define FS_EVENTS_MAX 10000u
#define FS_EVENTS_MAX_BYTES (8u * 1024 * 1024)
/* Readers at a time. */
#define FS_EVENT_READERS_MAX 256u

typedef enum {
    FS_EVENT_NEW,
    FS_EVENT_EXPUNGED,
    FS_EVENT_FLAGS,
    FS_EVENT_MOVED,
    FS_EVENT_MAILBOX,
    FS_EVENT_CONNECTION,
    FS_EVENT_ERROR,
} FsEventKind;

/* Members that are NULL, or 0, are left out. All is borrowed. */
typedef struct {
    FsEventKind kind;
    gint64 time;         /* microseconds since the epoch; 0: now */
    const char *mailbox; /* its path in the mount */
    guint32 uid;
    const char *name; /* of the file */
    const char *from;
    const char *subject;
    const char *flags;  /* as the index has them: spaces between */
    const char *action; /* what has become of the mailbox or connection */
    guint connection;   /* its number */
    const char *text;   /* for people */
    guint lost;         /* events */

    /* Of what has moved: where it was. */
    const char *old_mailbox;
    guint32 old_uid;
    const char *old_name;
} FsEvent;

typedef struct FsEvents FsEvents;
typedef struct FsEventReader FsEventReader;

FsEvents *fs_events_new(void);
/* Readers must have been freed. Accepts NULL. */
void fs_events_free(FsEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsEvents, fs_events_free)

/* How many read along: without any, nothing need be found out. */
guint fs_events_n_readers(const FsEvents *events);

void fs_events_publish(FsEvents *events, const FsEvent *event);

/* Told that something can be read where nothing was, or that the end has come.
 * Inside fs_events_publish and fs_event_reader_end. */
typedef void (*FsEventReadyFunc)(gpointer user_data);

/* Reads what happens from now on. NULL when there are too many readers. */
FsEventReader *fs_event_reader_new(FsEvents *events, FsEventReadyFunc ready,
                                   gpointer user_data);
void fs_event_reader_free(FsEventReader *reader); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsEventReader, fs_event_reader_free)

/* Nothing more will come. */
void fs_event_reader_end(FsEventReader *reader);
gboolean fs_event_reader_has_ended(const FsEventReader *reader);

/* Whether a read gives something now, be it the end. */
gboolean fs_event_reader_is_ready(const FsEventReader *reader);

/* As many whole lines as @size octets hold; of one that is longer a part, and
 * the rest the next time. 0: there is nothing, or the end has come. A large
 * @size is never filled to the last octet: a program's read may reach us in
 * parts, and only one that is not full is the last. */
gsize fs_event_reader_read(FsEventReader *reader, char *buffer, gsize size);

/* @event as its line, less the end of the line. Caller frees. */
char *fs_event_to_json(const FsEvent *event);
