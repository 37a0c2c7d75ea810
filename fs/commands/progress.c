/* The rate is that of the last seconds: what was quick at the beginning says
 * nothing of how long the rest takes. */
#include "fs/commands/progress.h"

#include "fs/commands/words.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES 50u
#define SAMPLE_US (200 * G_TIME_SPAN_MILLISECOND)
/* Below, the bar and the figures have a line each. */
#define NARROW 72u
#define BAR_LEAST 10u
#define BAR_MOST 30u
/* From line to line where there is no terminal. */
#define LINE_US (5 * G_USEC_PER_SEC)

typedef struct {
    gint64 time;
    guint64 octets;
} Sample;

struct FsProgress {
    FsOutput output;
    Sample samples[SAMPLES]; /* a ring */
    guint n_samples;
    guint lines;    /* that the bar takes on the terminal now */
    gint64 line_at; /* the last line, without one */
};

FsProgress *
fs_progress_new(const FsOutput *output)
{
    FsProgress *progress = g_new0(FsProgress, 1);

    progress->output = *output;
    return progress;
}

void
fs_progress_free(FsProgress *progress)
{
    g_free(progress);
}

/* ---- the rate ---- */

static void
take_sample(FsProgress *progress, guint64 octets, gint64 now)
{
    guint last = (progress->n_samples + SAMPLES - 1) % SAMPLES;
    Sample sample = {now, octets};

    if (progress->n_samples > 0 &&
        now - progress->samples[last].time < SAMPLE_US)
        return;
    progress->samples[progress->n_samples % SAMPLES] = sample;
    progress->n_samples++;
}

/* Octets a second; 0: none, or not known yet. */
static double
rate_of(const FsProgress *progress, guint64 octets, gint64 now)
{
    guint oldest =
        progress->n_samples > SAMPLES ? progress->n_samples % SAMPLES : 0;
    const Sample *sample = &progress->samples[oldest];

    if (progress->n_samples == 0 || now - sample->time < SAMPLE_US ||
        octets < sample->octets)
        return 0;
    return (double)(octets - sample->octets) * G_USEC_PER_SEC /
           (double)(now - sample->time);
}

/* ---- the words ---- */

typedef struct {
    char *done;
    char *all;
    char *octets;
    char *octets_all;
    char *rate;
    char *left;
    double part; /* 0 to 1 */
} Figures;

static void
figures_clear(Figures *figures)
{
    g_free(figures->done);
    g_free(figures->all);
    g_free(figures->octets);
    g_free(figures->octets_all);
    g_free(figures->rate);
    g_free(figures->left);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Figures, figures_clear)

static void
figures_fill(Figures *figures, const FsFetchState *state, double rate)
{
    guint64 missing = state->octets_missing;
    guint64 left = missing - MIN(state->octets_done, missing);
    g_autofree char *size = fs_words_size((guint64)rate);

    figures->done = fs_words_count(state->n_done);
    figures->all = fs_words_count(state->n_missing);
    figures->octets = fs_words_size(state->octets_done);
    figures->octets_all = fs_words_size(missing);
    figures->rate = g_strdup_printf("%s/s", size);
    figures->left = rate >= 1 ? fs_words_span((guint64)((double)left / rate))
                              : g_strdup("?");
    figures->part =
        missing > 0 ? (double)MIN(state->octets_done, missing) / (double)missing
                    : 1;
}

static void
append_bar(GString *line, const FsOutput *output, double part, guint columns)
{
    guint full = (guint)(part * columns + 0.5);

    g_string_append_c(line, '[');
    for (guint i = 0; i < columns; i++)
        g_string_append_c(line, i < full ? '#' : '.');
    g_string_append_printf(line, "] %3u %%", (guint)(part * 100));
}

static char *
looking_text(const FsFetchState *state)
{
    g_autofree char *count = fs_words_count(state->n_all);

    return g_strdup_printf(
        "%s: %s messages%s%s",
        state->phase == FS_FETCH_LOOKS ? "Looking" : "Verifying", count,
        state->folder[0] != '\0' ? ", now in " : "", state->folder);
}

static char *
narrow_text(const FsOutput *output, const Figures *figures)
{
    GString *text = g_string_new(NULL);
    guint room = output->width - MIN(output->width, 10);
    g_autofree char *line = NULL;
    g_autofree char *cut = NULL;

    append_bar(text, output, figures->part, CLAMP(room, 4, BAR_MOST));
    line = g_strdup_printf("%s/%s %s %s %s", figures->done, figures->all,
                           figures->octets, figures->rate, figures->left);
    cut = fs_output_fit(output, line,
                        MIN(output->width - 1, fs_output_columns(line)), FALSE);
    g_string_append_printf(text, "\n%s", cut);
    return g_string_free(text, FALSE);
}

static char *
wide_text(const FsOutput *output, const Figures *figures)
{
    g_autofree char *line = g_strdup_printf(
        "  %s of %s, %s, %s, %s left", figures->done, figures->all,
        figures->octets, figures->rate, figures->left);
    guint taken = fs_output_columns(line) + 12; /* and "^C" */
    guint room = output->width - MIN(output->width, taken);
    GString *text;

    if (room < BAR_LEAST)
        return narrow_text(output, figures);
    text = g_string_new(NULL);
    append_bar(text, output, figures->part, MIN(room, BAR_MOST));
    g_string_append(text, line);
    return g_string_free(text, FALSE);
}

static char *
plain_text(const Figures *figures)
{
    return g_strdup_printf("%s of %s messages, %s of %s, %s, %s left",
                           figures->done, figures->all, figures->octets,
                           figures->octets_all, figures->rate, figures->left);
}

char *
fs_progress_text(FsProgress *progress, const FsFetchState *state, gint64 now)
{
    const FsOutput *output = &progress->output;
    g_auto(Figures) figures = {0};

    if (state->phase != FS_FETCH_READS) {
        g_autofree char *text = looking_text(state);
        g_autofree char *fit = fs_output_text(output, text);
        guint columns = fs_output_columns(fit);

        return fs_output_fit(output, fit,
                             output->width > 0 ? MIN(output->width - 1, columns)
                                               : columns,
                             FALSE);
    }
    take_sample(progress, state->octets_done, now);
    figures_fill(&figures, state, rate_of(progress, state->octets_done, now));
    if (output->width == 0)
        return plain_text(&figures);
    return output->width < NARROW ? narrow_text(output, &figures)
                                  : wide_text(output, &figures);
}

/* ---- where they go ---- */

void
fs_progress_clear(FsProgress *progress)
{
    for (; progress->lines > 1; progress->lines--)
        fputs("\r\033[K\033[A", stdout);
    if (progress->lines > 0)
        fputs("\r\033[K", stdout);
    progress->lines = 0;
    fflush(stdout);
}

static void
draw(FsProgress *progress, const char *text)
{
    guint up = progress->lines > 1 ? progress->lines - 1 : 0;

    progress->lines = 1;
    fputs("\r", stdout);
    if (up > 0)
        printf("\033[%uA", up);
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            progress->lines++;
            fputs("\033[K\r\n", stdout);
        } else {
            fputc(*text, stdout);
        }
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

void
fs_progress_show(FsProgress *progress, const FsFetchState *state, gint64 now)
{
    g_autofree char *text = NULL;

    fs_output_look_at_width(&progress->output, STDOUT_FILENO);
    text = fs_progress_text(progress, state, now);
    if (progress->output.is_terminal) {
        draw(progress, text);
        return;
    }
    if (progress->line_at == 0)
        progress->line_at = now;
    if (now - progress->line_at < LINE_US)
        return;
    progress->line_at = now;
    printf("%s\n", text);
    fflush(stdout);
}
