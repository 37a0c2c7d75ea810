/* A report for people: lines with a mark, a name and a text, and tables. On a
 * terminal, lines are broken to its width; elsewhere each is one line, to be
 * found by grep. */
#pragma once

#include "fs/commands/output.h"

#include <glib.h>

typedef enum {
    FS_MARK_NONE,
    FS_MARK_GOOD,
    FS_MARK_BAD,
    FS_MARK_WARNING,
    FS_MARK_LACKING, /* not there, or not tried */
} FsMark;

/* "✓ Name    text"; @text is made fit. To @text, a line of a GString; so are
 * all below. */
void fs_report_line(GString *report, const FsOutput *output, FsMark mark,
                    const char *name, const char *text);
void fs_report_format(GString *report, const FsOutput *output, FsMark mark,
                      const char *name, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* Above all. */
void fs_report_title(GString *report, const FsOutput *output, const char *text);
/* A heading, with an empty line before it. */
void fs_report_heading(GString *report, const FsOutput *output,
                       const char *text);

typedef struct {
    const char *title;
    gboolean right; /* numbers */
    guint worth;    /* where it is too narrow, columns of lesser worth go */
} FsTableColumn;

/* @rows: of char *[], each with as many cells as there are columns; the first
 * column takes what room there is. Cells are made fit. */
void fs_report_table(GString *report, const FsOutput *output,
                     const FsTableColumn *columns, guint n_columns,
                     const GPtrArray *rows);
