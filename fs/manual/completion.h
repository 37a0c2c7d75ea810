/* Completions for shells: what can be written, as a list that their scripts
 * read. */
#pragma once

#include <glib.h>

/* Appends what @mark stands for, an element a line, quoted for the shell
 * @argument ("bash", "zsh" or "fish"):
 *
 *     options   NAME:KIND:WORDS:MEANING of each option; NAME ends in "=" if a
 *               value follows, KIND says of what sort, WORDS are those that
 *               can be written
 *     commands  WORD:ARGUMENT:MEANING of each word of the command line, long
 *               and short; ARGUMENT is what follows, or nothing
 *
 * FALSE: there is no such mark, or shell. */
gboolean fs_completion_expand(GString *out, const char *mark,
                              const char *argument);
