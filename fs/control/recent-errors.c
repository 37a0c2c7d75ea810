/* The last messages of the log.
 *
 * The log is written by several threads, this is used by the main loop alone:
 * what is logged comes through a queue. Who logs without end fills it up, and
 * then the rest is passed over: the log itself has it. */
#include "fs/control/recent-errors.h"

#include "fs/log.h"

/* Messages on their way to the loop. */
#define ON_THE_WAY_MAX 100

struct FsRecentErrors {
    char *account; /* NULL: it is alone */
    GQueue kept;   /* of FsRecentError, owned */
    FsRecentErrorFunc func;
    gpointer user_data;
};

/* On its way to those who gather. */
typedef struct {
    FsRecentError error;
    char *account; /* that it is about; NULL: not known */
} Message;

static GSList *gathering; /* of FsRecentErrors; the main loop's */
static gint n_on_the_way; /* atomic */

static void
free_error(gpointer data)
{
    FsRecentError *error = data;

    g_free(error->text);
    g_free(error);
}

static void
keep(FsRecentErrors *errors, const FsRecentError *message)
{
    FsRecentError *error = g_new0(FsRecentError, 1);

    error->time = message->time;
    error->text = g_strdup(message->text);
    g_queue_push_tail(&errors->kept, error);
    if (errors->kept.length > FS_RECENT_ERRORS_MAX)
        free_error(g_queue_pop_head(&errors->kept));
    if (errors->func != NULL)
        errors->func(error->text, errors->user_data);
}

/* What is not known to be about one account is kept for all. */
static gboolean
take(gpointer user_data)
{
    Message *message = user_data;

    g_atomic_int_add(&n_on_the_way, -1);
    for (const GSList *link = gathering; link != NULL; link = link->next) {
        FsRecentErrors *errors = link->data;

        if (message->account == NULL || errors->account == NULL ||
            g_str_equal(message->account, errors->account))
            keep(errors, &message->error);
    }
    g_free(message->error.text);
    g_free(message->account);
    g_free(message);
    return G_SOURCE_REMOVE;
}

/* On any thread. */
static void
on_message(const char *text, const char *account)
{
    Message *message;

    if (g_atomic_int_add(&n_on_the_way, 1) >= ON_THE_WAY_MAX) {
        g_atomic_int_add(&n_on_the_way, -1);
        return;
    }
    message = g_new0(Message, 1);
    message->error.time = g_get_real_time();
    message->error.text = g_strdup(text);
    message->account = g_strdup(account);
    g_idle_add_full(G_PRIORITY_DEFAULT, take, message, NULL);
}

FsRecentErrors *
fs_recent_errors_new(FsRecentErrorFunc func, gpointer user_data)
{
    FsRecentErrors *errors = g_new0(FsRecentErrors, 1);

    errors->func = func;
    errors->user_data = user_data;
    g_queue_init(&errors->kept);
    gathering = g_slist_append(gathering, errors);
    fs_log_set_observer(on_message);
    return errors;
}

void
fs_recent_errors_set_account(FsRecentErrors *errors, const char *account)
{
    g_free(errors->account);
    errors->account = g_strdup(account);
}

void
fs_recent_errors_free(FsRecentErrors *errors)
{
    if (errors == NULL)
        return;
    gathering = g_slist_remove(gathering, errors);
    if (gathering == NULL)
        fs_log_set_observer(NULL);
    g_queue_clear_full(&errors->kept, free_error);
    g_free(errors->account);
    g_free(errors);
}

guint
fs_recent_errors_count(const FsRecentErrors *errors)
{
    return errors->kept.length;
}

const FsRecentError *
fs_recent_errors_get(const FsRecentErrors *errors, guint i)
{
    return g_queue_peek_nth((GQueue *)&errors->kept, i);
}
