/* Lines are built whole and then broken at spaces, below their beginning: so
 * the names on the left stay a column of their own. */
#include "fs/commands/report.h"

#include <string.h>

#define INDENT 2u /* a mark and a space */
#define NAME_COLUMNS 14u
/* Narrower than this, the text begins on a line of its own. */
#define NARROW 60u
#define NARROW_INDENT 4u
#define GAP 2u          /* between the columns of a table */
#define FIRST_LEAST 14u /* of its first column */
#define FIRST_MAX 60u
#define COLUMNS_MAX 8u

static const char *
sign_of(const FsOutput *output, FsMark mark)
{
    static const char *const signs[] = {"  ", "✓ ", "✗ ", "! ", "– "};
    static const char *const plain[] = {"  ", "+ ", "X ", "! ", "- "};

    return output->is_utf8 ? signs[mark] : plain[mark];
}

static FsStyle
style_of(FsMark mark)
{
    static const FsStyle styles[] = {FS_STYLE_PLAIN, FS_STYLE_GOOD,
                                     FS_STYLE_BAD, FS_STYLE_WARNING,
                                     FS_STYLE_QUIET};

    return styles[mark];
}

static void
append_spaces(GString *report, guint count)
{
    for (guint i = 0; i < count; i++)
        g_string_append_c(report, ' ');
}

/* Text on its way into lines. */
typedef struct {
    GString *report;
    guint width; /* 0: lines are endless */
    guint column;
    guint indent; /* of the next lines */
} Breaker;

static void
break_line(Breaker *breaker)
{
    g_string_append_c(breaker->report, '\n');
    append_spaces(breaker->report, breaker->indent);
    breaker->column = breaker->indent;
}

/* One that is longer than a line is cut where that ends. */
static void
append_word(Breaker *breaker, const char *word)
{
    while (*word != '\0') {
        const char *next = g_utf8_next_char(word);
        g_autofree char *character = g_strndup(word, (gsize)(next - word));
        guint columns = fs_output_columns(character);

        if (breaker->width != 0 && breaker->column > breaker->indent &&
            breaker->column + columns > breaker->width)
            break_line(breaker);
        g_string_append(breaker->report, character);
        breaker->column += columns;
        word = next;
    }
}

/* @column: where the line is; @indent: where the next ones begin. */
static void
append_broken(GString *report, const FsOutput *output, const char *text,
              guint column, guint indent)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    Breaker breaker = {report, output->width, column, indent};

    for (char **word = words; *word != NULL; word++) {
        guint end = breaker.column + 1 + fs_output_columns(*word);

        if (word > words && output->width != 0 && end > output->width) {
            break_line(&breaker);
        } else if (word > words) {
            g_string_append_c(report, ' ');
            breaker.column++;
        }
        append_word(&breaker, *word);
    }
    g_string_append_c(report, '\n');
}

void
fs_report_line(GString *report, const FsOutput *output, FsMark mark,
               const char *name, const char *text)
{
    gboolean is_narrow = output->width != 0 && output->width < NARROW;
    g_autofree char *fit = fs_output_text(output, text);
    guint column = INDENT + MAX(fs_output_columns(name), NAME_COLUMNS - 1) + 1;

    g_string_append_printf(report, "%s%s%s%s",
                           fs_output_begin(output, style_of(mark)),
                           sign_of(output, mark), fs_output_end(output), name);
    if (is_narrow) {
        g_string_append_c(report, '\n');
        append_spaces(report, NARROW_INDENT);
        append_broken(report, output, fit, NARROW_INDENT, NARROW_INDENT);
        return;
    }
    append_spaces(report, column - INDENT - fs_output_columns(name));
    append_broken(report, output, fit, column, INDENT + NAME_COLUMNS);
}

void
fs_report_format(GString *report, const FsOutput *output, FsMark mark,
                 const char *name, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fs_report_line(report, output, mark, name, text);
}

void
fs_report_title(GString *report, const FsOutput *output, const char *text)
{
    g_autofree char *fit = fs_output_text(output, text);

    g_string_append(report, fs_output_begin(output, FS_STYLE_HEADING));
    append_broken(report, output, fit, 0, INDENT);
    g_string_append(report, fs_output_end(output));
}

void
fs_report_heading(GString *report, const FsOutput *output, const char *text)
{
    g_string_append_printf(report, "\n%s%s%s\n",
                           fs_output_begin(output, FS_STYLE_HEADING), text,
                           fs_output_end(output));
}

/* ---- tables ---- */

typedef struct {
    const FsOutput *output;
    const FsTableColumn *columns;
    guint n_columns;
    guint widths[COLUMNS_MAX]; /* 0: left out */
} Table;

static void
measure_row(Table *table, const char *const *cells)
{
    for (guint i = 0; i < table->n_columns; i++) {
        g_autofree char *fit = fs_output_text(table->output, cells[i]);

        table->widths[i] = MAX(table->widths[i], fs_output_columns(fit));
    }
}

static guint
width_of_others(const Table *table)
{
    guint width = INDENT;

    for (guint i = 1; i < table->n_columns; i++)
        width += table->widths[i] > 0 ? GAP + table->widths[i] : 0;
    return width;
}

/* The one of the least worth, but for the first; 0: there is none left. */
static guint
least_worth(const Table *table)
{
    guint least = 0;

    for (guint i = 1; i < table->n_columns; i++)
        if (table->widths[i] > 0 &&
            (least == 0 ||
             table->columns[i].worth < table->columns[least].worth))
            least = i;
    return least;
}

static void
make_room(Table *table)
{
    guint room = table->output->width;
    guint wanted = MIN(table->widths[0], FIRST_LEAST);
    guint least;

    table->widths[0] = MIN(table->widths[0], FIRST_MAX);
    if (room == 0)
        return;
    while (width_of_others(table) + wanted > room &&
           (least = least_worth(table)) != 0)
        table->widths[least] = 0;
    room -= MIN(room, width_of_others(table));
    table->widths[0] = MIN(table->widths[0], MAX(room, 1));
}

static void
append_row(GString *report, const Table *table, const char *const *cells)
{
    gsize start = report->len;

    append_spaces(report, INDENT);
    for (guint i = 0; i < table->n_columns; i++) {
        g_autofree char *fit = fs_output_text(table->output, cells[i]);
        g_autofree char *cell = NULL;

        if (table->widths[i] == 0)
            continue;
        cell = fs_output_fit(table->output, fit, table->widths[i],
                             table->columns[i].right);
        append_spaces(report, i > 0 ? GAP : 0);
        g_string_append(report, cell);
    }
    while (report->len > start && report->str[report->len - 1] == ' ')
        g_string_truncate(report, report->len - 1);
    g_string_append_c(report, '\n');
}

void
fs_report_table(GString *report, const FsOutput *output,
                const FsTableColumn *columns, guint n_columns,
                const GPtrArray *rows)
{
    Table table = {output, columns, MIN(n_columns, COLUMNS_MAX), {0}};
    const char *titles[COLUMNS_MAX];

    for (guint i = 0; i < table.n_columns; i++)
        titles[i] = columns[i].title;
    measure_row(&table, titles);
    for (guint i = 0; i < rows->len; i++)
        measure_row(&table, g_ptr_array_index(rows, i));
    make_room(&table);
    g_string_append(report, fs_output_begin(output, FS_STYLE_QUIET));
    append_row(report, &table, titles);
    g_string_append(report, fs_output_end(output));
    for (guint i = 0; i < rows->len; i++)
        append_row(report, &table, g_ptr_array_index(rows, i));
}
