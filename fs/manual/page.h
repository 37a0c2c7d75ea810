/* Manual pages: what the table of options has to say, as roff for man(7). */
#pragma once

#include <glib.h>

typedef struct FsPageProse FsPageProse;

/* What there is to say of options beyond the table: roff, each piece behind a
 * line '.\" NAME', where NAME is an option or a word of the command line
 * ("--wait"). */
FsPageProse *fs_page_prose_new(const char *text);
void fs_page_prose_free(FsPageProse *prose); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsPageProse, fs_page_prose_free)
/* A NAME that is neither; NULL if there is none. Borrowed. */
const char *fs_page_prose_unknown(const FsPageProse *prose);

/* Appends what @mark stands for:
 *
 *     title NAME SECTION   the .TH line
 *     commands             the words of the command line
 *     options SECTION      the options of the section, with all that is said
 *     keys SECTION         the same for a configuration file, in short
 *     names SECTION        their names alone, in a sentence
 *
 * FALSE: there is no such mark, or section. */
gboolean fs_page_expand(GString *out, const char *mark, const char *argument,
                        const FsPageProse *prose);
