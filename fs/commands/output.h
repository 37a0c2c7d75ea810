/* What the standard output can show, and text made fit for it.
 *
 * Names of folders and what servers say go to a terminal here, where control
 * characters would be commands and some others turn text round or hide it. */
#pragma once

#include <glib.h>

typedef struct {
    gboolean is_terminal;
    gboolean is_utf8;
    gboolean has_colour;
    guint width; /* columns of the terminal; 0: no terminal, lines are endless
                  */
} FsOutput;

typedef enum {
    FS_STYLE_PLAIN,
    FS_STYLE_GOOD,
    FS_STYLE_BAD,
    FS_STYLE_WARNING,
    FS_STYLE_QUIET,
    FS_STYLE_HEADING,
} FsStyle;

/* Looks at the descriptor @fd and the environment (NO_COLOR, TERM, COLUMNS, the
 * locale, which is set from it). */
void fs_output_look(FsOutput *output, int fd);
/* The width may have changed. */
void fs_output_look_at_width(FsOutput *output, int fd);

/* What begins @style, "" without colour; and what ends any. Borrowed. */
const char *fs_output_begin(const FsOutput *output, FsStyle style);
const char *fs_output_end(const FsOutput *output);

/* @text without what is not to reach a terminal, in letters that this one has.
 * Caller frees. */
char *fs_output_text(const FsOutput *output, const char *text);

/* Columns that the UTF-8 @text takes. */
guint fs_output_columns(const char *text);

/* @text, cut to @columns and with spaces up to them; to the right if @right.
 * Caller frees. */
char *fs_output_fit(const FsOutput *output, const char *text, guint columns,
                    gboolean right);
