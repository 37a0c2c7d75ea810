/* Who may use the kernel's copy of a listing. */
#include "fs/kernel/listing-copy.h"

/* Pages go for other reasons, too, and then are made again at once. */
#define IN_VAIN 2

/* Of one who shares the copy. */
typedef struct {
    guint64 id;
    guint64 state; /* when it was opened */
    gboolean kept; /* the copy was good then */
    gboolean began;
    gboolean ended; /* since it has begun, if it has */
} Handle;

void
fs_listing_copy_init(FsListingCopy *copy, guint64 state)
{
    *copy = (FsListingCopy){
        .state = state,
        .handles = g_array_new(FALSE, TRUE, sizeof(Handle)),
    };
}

void
fs_listing_copy_clear(FsListingCopy *copy)
{
    g_clear_pointer(&copy->handles, g_array_unref);
}

/* NULL: one who does not share it. */
static Handle *
handle_of(FsListingCopy *copy, guint64 id)
{
    for (guint i = 0; i < copy->handles->len; i++) {
        Handle *handle = &g_array_index(copy->handles, Handle, i);

        if (handle->id == id)
            return handle;
    }
    return NULL;
}

static gboolean
is_current(const FsListingCopy *copy)
{
    return copy->of != 0 && copy->of == copy->state;
}

/* Whether somebody opened it in an earlier state: what was read then may be in
 * a copy, or still go into it. */
static gboolean
has_older(const FsListingCopy *copy)
{
    for (guint i = 0; i < copy->handles->len; i++)
        if (g_array_index(copy->handles, Handle, i).state != copy->state)
            return TRUE;
    return FALSE;
}

FsListingUse
fs_listing_copy_open(FsListingCopy *copy, guint64 *handle)
{
    gboolean good = is_current(copy);
    gboolean is_alone = copy->handles->len == 0;
    gboolean makes_anew = !copy->making && !good;
    Handle new = {.id = ++copy->last_handle,
                  .state = copy->state,
                  .kept = !copy->making && good};

    *handle = new.id;
    if (copy->dropping || (!good && !is_alone))
        return FS_LISTING_APART;
    g_array_append_val(copy->handles, new);
    copy->dropping = makes_anew;
    return makes_anew ? FS_LISTING_ANEW : FS_LISTING_SHARED;
}

void
fs_listing_copy_close(FsListingCopy *copy, guint64 id)
{
    Handle *handle = handle_of(copy, id);

    if (handle == NULL)
        return;
    if (handle->kept && !handle->began)
        copy->n_in_vain = 0;
    /* What was there is dropped, or will be by the next. */
    copy->dropping = FALSE;
    if (handle->ended)
        copy->making = FALSE;
    g_array_remove_index_fast(
        copy->handles,
        (guint)(handle - (Handle *)(gpointer)copy->handles->data));
}

void
fs_listing_copy_begin(FsListingCopy *copy, guint64 id)
{
    Handle *handle = handle_of(copy, id);

    if (handle == NULL)
        return;
    if (copy->making) {
        if (copy->of != copy->state)
            copy->of = 0;
    } else {
        if (handle->kept && is_current(copy))
            copy->n_in_vain++;
        copy->of = has_older(copy) ? 0 : copy->state;
    }
    copy->dropping = FALSE;
    copy->making = TRUE;
    handle->began = TRUE;
    handle->ended = FALSE;
}

void
fs_listing_copy_end(FsListingCopy *copy, guint64 id)
{
    Handle *handle = handle_of(copy, id);

    /* Until it is closed, the answer may be on its way. It may be that of a
     * copy which another one has begun, or only begins then. */
    if (handle != NULL)
        handle->ended = TRUE;
}

void
fs_listing_copy_change(FsListingCopy *copy, guint64 state)
{
    copy->state = state;
    copy->n_in_vain = 0;
}

static gboolean
has_ended(const FsListingCopy *copy)
{
    for (guint i = 0; i < copy->handles->len; i++)
        if (g_array_index(copy->handles, Handle, i).ended)
            return TRUE;
    return FALSE;
}

gboolean
fs_listing_copy_is_outdated(const FsListingCopy *copy)
{
    return copy->handles->len > 0 && !is_current(copy) && !copy->dropping &&
           (!copy->making || has_ended(copy));
}

gboolean
fs_listing_copy_is_stuck(FsListingCopy *copy)
{
    if (copy->n_in_vain != IN_VAIN)
        return FALSE;
    copy->n_in_vain++;
    return TRUE;
}
