/* What is known of the big providers, so that an address is enough. */
#pragma once

#include <glib.h>

typedef struct FsPreset {
    const char *name;    /* before the colon: "gmail:me@gmail.com" */
    const char *title;   /* for people */
    const char *domains; /* of its addresses, spaces between; NULL: any */
    const char *url;     /* without the user */
    const char *options; /* "NAME=VALUE", commas between; NULL: none */
    const char *login;   /* what to do when it refuses a login: ends a sentence;
                            NULL: nothing out of the ordinary */
} FsPreset;

/* The provider of that name, in any case; NULL: it is not known. */
const FsPreset *fs_preset_find(const char *name);

/* The provider whose addresses end in "@" and @domain, in any case. */
const FsPreset *fs_preset_of_domain(const char *domain);

/* The names of all of them, for messages and completions; ends with NULL.
 * Borrowed. */
const char *const *fs_preset_names(void);
