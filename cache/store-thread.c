/* A queue to the thread, a queue back, and a source that empties the latter.
 *
 * The source has no file descriptor of its own: the thread makes it due, which
 * wakes the loop once however many results are waiting. Both queues are GLib's,
 * so there is no lock here, and what a job holds passes from one thread to the
 * other with it. */
#include "cache/store-thread.h"

#include <signal.h>

struct CacheStoreThread {
    GThread *thread;
    GAsyncQueue *queued;   /* of Job */
    GAsyncQueue *finished; /* of Job */
    GSource *source;
    guint n_unfinished; /* pushed, and not yet told done */
};

typedef struct {
    CacheWorkFunc work; /* NULL: the thread ends */
    CacheDoneFunc done;
    gpointer data;
} Job;

static void
push(CacheStoreThread *thread, CacheWorkFunc work, CacheDoneFunc done,
     gpointer data)
{
    Job *job = g_new(Job, 1);

    *job = (Job){work, done, data};
    g_async_queue_push(thread->queued, job);
}

static gpointer
run(gpointer user_data)
{
    CacheStoreThread *thread = user_data;
    sigset_t too_large;

    /* Writing beyond the limit of the user's shell (ulimit -f) is an error of
     * that write, not the end of the process. */
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &too_large, NULL);

    for (;;) {
        Job *job = g_async_queue_pop(thread->queued);

        if (job->work == NULL) {
            g_free(job);
            return NULL;
        }
        job->work(job->data);
        g_async_queue_push(thread->finished, job);
        g_source_set_ready_time(thread->source, 0);
    }
}

static void
tell_done(CacheStoreThread *thread, Job *job)
{
    thread->n_unfinished--;
    job->done(job->data);
    g_free(job);
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    CacheStoreThread *thread = user_data;

    /* Disarmed before the queue is counted: what is finished later makes the
     * source due again. Counted, so that a fast disk does not keep the loop
     * here. */
    g_source_set_ready_time(source, -1);
    for (gint n = g_async_queue_length(thread->finished); n > 0; n--)
        tell_done(thread, g_async_queue_pop(thread->finished));
    return G_SOURCE_CONTINUE;
}

static gboolean
no_callback(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

CacheStoreThread *
cache_store_thread_new(void)
{
    static GSourceFuncs source_funcs = {.dispatch = dispatch};
    CacheStoreThread *thread = g_new0(CacheStoreThread, 1);

    thread->queued = g_async_queue_new();
    thread->finished = g_async_queue_new();
    thread->source = g_source_new(&source_funcs, sizeof(GSource));
    g_source_set_callback(thread->source, no_callback, thread, NULL);
    g_source_attach(thread->source, g_main_context_get_thread_default());
    thread->thread = g_thread_new("imapfs-store", run, thread);
    return thread;
}

void
cache_store_thread_drain(CacheStoreThread *thread)
{
    /* Done functions may queue more. */
    while (thread->n_unfinished > 0)
        tell_done(thread, g_async_queue_pop(thread->finished));
}

void
cache_store_thread_free(CacheStoreThread *thread)
{
    if (thread == NULL)
        return;

    cache_store_thread_drain(thread);
    push(thread, NULL, NULL, NULL);
    g_thread_join(thread->thread);

    g_source_destroy(thread->source);
    g_source_unref(thread->source);
    g_async_queue_unref(thread->finished);
    g_async_queue_unref(thread->queued);
    g_free(thread);
}

void
cache_store_thread_push(CacheStoreThread *thread, CacheWorkFunc work,
                        CacheDoneFunc done, gpointer job)
{
    thread->n_unfinished++;
    push(thread, work, done, job);
}
