/* What the parts of the check share: one connection, and the report.
 *
 * The check is no daemon: it asks one thing after the other. So each part
 * begins a request, and runs the main loop until that is done. */
#pragma once

#include "fs/commands/report.h"
#include "fs/names/mailbox-tree.h"
#include "fs/options/options.h"
#include "imap/requests.h"

typedef struct {
    FsOptions *options;
    FsOutput output;
    GMainLoop *loop;
    gboolean failed; /* a mount would not work */
    ImapConnection *connection;
    gboolean done;       /* with what is waited for */
    GError *error;       /* of that */
    FsMailboxTree *tree; /* of the folders; NULL: not known */
    GArray *folders;     /* of FsCheckFolder, those first that matter most */
    gboolean idles;      /* IDLE works */
} FsCheck;

typedef struct {
    guint32 id;  /* in the tree */
    char *path;  /* as the mount shows it */
    char *wire;  /* as the server calls it; NULL: no mailbox */
    guint known; /* IMAP_MAILBOX_… of what follows */
    guint64 messages, unseen, size;
} FsCheckFolder;

/* Prints a line. FS_MARK_BAD: a mount would not work. */
void fs_check_say(FsCheck *check, FsMark mark, const char *name,
                  const char *format, ...) G_GNUC_PRINTF(4, 5);
void fs_check_head(FsCheck *check, const char *heading);
/* Prints what was put together, and empties it. */
void fs_check_print(GString *report);

/* Runs the loop until fs_check_done; FALSE: check->error says why it failed. */
gboolean fs_check_wait(FsCheck *check);
void fs_check_done(FsCheck *check, const GError *error);
/* An ImapDoneFunc that does so. */
void fs_check_on_done(const GError *error, gpointer user_data);

/* ---- the parts, in the order of the report ---- */

/* FUSE, and the directories for cache and state. */
void fs_check_machine(FsCheck *check);
/* From the host's name to the login. FALSE: there is no connection. */
gboolean fs_check_connect(FsCheck *check);
/* The list of folders, and how many messages there are. */
void fs_check_folders(FsCheck *check);
void fs_check_print_folders(FsCheck *check);
/* Where the server puts what programs delete; NULL: it names no such folder. */
const FsCheckFolder *fs_check_trash(const FsCheck *check);
/* Whether the server tells of changes. Nothing is selected yet. */
void fs_check_push(FsCheck *check);
/* Whether the INBOX may be changed. */
void fs_check_writing(FsCheck *check);
/* How quick the line and the server are. Selects a folder; reads mail, and
 * marks none as read. */
void fs_check_speed(FsCheck *check);
/* Quota, what deleting does, limits. */
void fs_check_server(FsCheck *check);
/* What the server offers, and what follows from it. */
void fs_check_capabilities(FsCheck *check);
