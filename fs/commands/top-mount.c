/* The top says which accounts there are, and why one is not served. */
#include "fs/commands/top-mount.h"

#include "fs/commands/mount-status.h"
#include "fs/control/wait-client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
account_free(gpointer data)
{
    FsTopAccount *account = data;

    g_free(account->name);
    g_free(account->path);
    g_free(account->error);
    g_free(account);
}

GPtrArray *
fs_top_mount_accounts(const char *mountpoint, JsonObject *status)
{
    JsonArray *list = fs_mount_status_array(status, "accounts");
    GPtrArray *accounts;

    if (list == NULL)
        return NULL;
    accounts = g_ptr_array_new_with_free_func(account_free);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonObject *each = fs_mount_status_element(list, i);
        const char *name = fs_mount_status_text(each, "name");
        FsTopAccount *account;

        if (name == NULL || *name == '.' || strchr(name, '/') != NULL)
            continue;
        account = g_new0(FsTopAccount, 1);
        account->name = g_strdup(name);
        account->path = g_build_filename(mountpoint, name, NULL);
        if (!fs_mount_status_flag(each, "served"))
            account->error = g_strdup(fs_mount_status_text(each, "error"));
        g_ptr_array_add(accounts, account);
    }
    return accounts;
}

GPtrArray *
fs_top_mount_find(const char *mountpoint)
{
    g_autoptr(JsonObject) status = fs_mount_status_read(mountpoint, NULL);

    return status != NULL ? fs_top_mount_accounts(mountpoint, status) : NULL;
}

int
fs_top_mount_wait(const char *mountpoint)
{
    g_autoptr(GPtrArray) accounts = fs_top_mount_find(mountpoint);
    int worst = EXIT_SUCCESS;

    if (accounts == NULL)
        return fs_wait_client_run(mountpoint, NULL);
    for (guint i = 0; i < accounts->len; i++) {
        const FsTopAccount *account = g_ptr_array_index(accounts, i);
        int status = EXIT_FAILURE;

        if (account->error != NULL)
            fprintf(stderr, "%s:\n%s\n", account->name, account->error);
        else
            status = fs_wait_client_run(account->path, account->name);
        worst = MAX(worst, status);
    }
    return worst;
}
