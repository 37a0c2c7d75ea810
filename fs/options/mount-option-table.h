/* Every option: what may stand behind -o, or in a group of the configuration
 * file. The one source of names, kinds of value, defaults, meanings and checks:
 * the parsers, --help, --print-config, the manual and the completions all go by
 * it. */
#pragma once

#include "fs/options/options.h"

typedef enum {
    FS_SECTION_ACCOUNT,
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

/* What a value is: how it is checked, stored, shown and completed. */
typedef enum {
    FS_VALUE_FLAG,      /* none; or yes or no */
    FS_VALUE_TEXT,      /* char * */
    FS_VALUE_COMMAND,   /* char *, for the shell; may hold a secret */
    FS_VALUE_FILE,      /* char *, absolute */
    FS_VALUE_DIRECTORY, /* likewise */
    FS_VALUE_NUMBER,    /* guint, from min to max */
    FS_VALUE_SIZE,      /* guint64, octets, from min; 0: none */
    FS_VALUE_CHOICE,    /* guint: the place among the words of value */
    FS_VALUE_USER,      /* uid_t */
    FS_VALUE_GROUP,     /* gid_t */
} FsValueKind;

/* Of each of these, what is said last is all that is said: a source of a
 * password on the command line is instead of that in the file. */
typedef enum {
    FS_RIVALS_NONE,
    FS_RIVALS_SECRET, /* where the password or token comes from */
    FS_RIVALS_TRUST,  /* which certificate is the right one */
    FS_N_RIVALS,
} FsOptionRivals;

/* What holds the value. */
typedef enum {
    FS_PLACE_NONE, /* nothing of ours depends on it */
    FS_PLACE_OPTIONS,
    FS_PLACE_SETTINGS, /* ImapSettings */
} FsOptionPlace;

typedef struct FsMountOption FsMountOption;
typedef gboolean (*FsOptionSetFunc)(FsOptions *options,
                                    const FsMountOption *option,
                                    const char *value, GError **error);
/* As it would be written; NULL: there is none. Caller frees. */
typedef char *(*FsOptionShowFunc)(const FsOptions *options,
                                  const FsMountOption *option);

struct FsMountOption {
    const char *name;
    const char *value; /* as the help shows it; NULL: takes none. Words with
                          "|" between are all that there are */
    FsOptionSection section;
    FsValueKind kind;
    const char *help;      /* without the default */
    const char *initial;   /* the default, as it would be written */
    const char *otherwise; /* a default that is no value, in words */
    const char *example;   /* a value; NULL: of a flag, or plain from value */
    FsOptionSetFunc set;   /* NULL: as is usual for the kind */
    FsOptionShowFunc show; /* likewise */
    FsOptionPlace place;
    gsize offset; /* there */
    guint64 min, max;
    FsOptionRivals rivals;
    gboolean passed_on;    /* to libfuse */
    gboolean only_in_file; /* not behind -o */
};

/* Ends with a name that is NULL. */
extern const FsMountOption fs_mount_option_table[];

/* The option of that name; NULL: there is none. */
const FsMountOption *fs_mount_option_find(const char *name);

/* The titles of the sections, in the order of the enum. */
extern const char *const fs_option_section_titles[FS_N_SECTIONS];

/* Puts @value (NULL: that of a flag that is merely named) where it belongs.
 * Fails with FS_ERROR_USAGE. */
gboolean fs_mount_option_set(FsOptions *options, const FsMountOption *option,
                             const char *value, GError **error);

/* What is in force, as it would be written: of a flag "yes" or "no". NULL:
 * nothing, or nothing of ours depends on it. Caller frees. */
char *fs_mount_option_show(const FsOptions *options,
                           const FsMountOption *option);
