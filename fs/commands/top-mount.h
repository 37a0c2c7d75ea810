/* Commands on a mount of several accounts: each is at work on the directories
 * of all of them, one after the other. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef struct {
    char *name;
    char *path;  /* of its directory */
    char *error; /* why it is not served; NULL: it is */
} FsTopAccount;

/* The accounts (of FsTopAccount) of the mount at @mountpoint, whose status this
 * is; NULL: it is a mount of one. Caller unrefs. */
GPtrArray *fs_top_mount_accounts(const char *mountpoint, JsonObject *status);
/* The same for who has no status; NULL also if nothing of ours is there. */
GPtrArray *fs_top_mount_find(const char *mountpoint);

/* "imapfs --wait MOUNTPOINT": returns the exit status, the worst of all. */
int fs_top_mount_wait(const char *mountpoint);
