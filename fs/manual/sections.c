/* Their own titles are for people, and may be another tomorrow. */
#include "fs/manual/sections.h"

static const char *const names[FS_N_SECTIONS] = {
    [FS_SECTION_ACCOUNT] = "account", [FS_SECTION_MAIL] = "mail",
    [FS_SECTION_LOGIN] = "login",     [FS_SECTION_TLS] = "tls",
    [FS_SECTION_NETWORK] = "network", [FS_SECTION_CACHE] = "cache",
    [FS_SECTION_FILES] = "files",     [FS_SECTION_FUSE] = "fuse",
    [FS_SECTION_MOUNT] = "mount",     [FS_SECTION_IGNORED] = "ignored",
};

gboolean
fs_section_by_name(const char *name, FsOptionSection *section)
{
    for (guint i = 0; i < FS_N_SECTIONS; i++) {
        if (g_strcmp0(names[i], name) == 0) {
            *section = (FsOptionSection)i;
            return TRUE;
        }
    }
    return FALSE;
}
