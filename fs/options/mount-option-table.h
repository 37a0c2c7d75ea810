/* Every name that may stand behind -o. Read by mount-options.c and the tests
 * alone. */
#pragma once

#include "fs/options/options.h"

typedef enum {
    FS_SECTION_MAIL,
    FS_SECTION_LOGIN,
    FS_SECTION_TLS,
    FS_SECTION_NETWORK,
    FS_SECTION_CACHE,
    FS_SECTION_FILES,
    FS_SECTION_FUSE,
    FS_SECTION_MOUNT,   /* every fstab's; named in the help without a meaning */
    FS_SECTION_IGNORED, /* mount(8)'s own affairs; likewise */
    FS_N_SECTIONS,
} FsOptionSection;

typedef struct FsMountOption FsMountOption;
typedef gboolean (*FsOptionSetFunc)(FsOptions *options,
                                    const FsMountOption *option,
                                    const char *value, GError **error);

struct FsMountOption {
    const char *name;
    const char *value; /* as the help shows it; NULL: takes none. For
                          set_choice: the words, in the enum's order */
    FsOptionSection section;
    const char *help;
    FsOptionSetFunc set; /* NULL: nothing of ours depends on it */
    gboolean passed_on;  /* to libfuse */
    gboolean in_settings;
    gsize offset; /* in ImapSettings if in_settings, else in FsOptions */
    guint64 min, max;
};

/* Ends with a name that is NULL. */
extern const FsMountOption fs_mount_option_table[];
