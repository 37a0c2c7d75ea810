/* Of one directory: what copy of its listing the kernel has, and who may use it
 * or put into it.
 *
 * The kernel makes its copy while somebody reads the directory: what is read
 * goes to its end, if it is what follows there. The copy is served once its
 * making has come to the end of the listing, and begun anew when it is to be
 * served and its pages are gone, or the directory has another time. So there
 * is a trap: if the pages of a copy in the making go, nothing can follow on
 * them, the end is never reached, and until the kernel forgets the directory
 * each listing of it is a reading. Pages go when a directory is opened without
 * the word to keep them (FOPEN_KEEP_CACHE), and when the kernel is told that
 * they are not good. So that is said of a copy that is whole, alone, and only
 * to one who opens the directory while nobody else has to do with the copy.
 * Until then, who opens it is let neither use the copy nor put into it
 * (without FOPEN_CACHE_DIR), and reads what is so. A making that was given up
 * is taken to its end by the next who reads, and then thrown away.
 *
 * Who has opened the directory may read it again from its beginning, and the
 * kernel asks nobody whether its copy is still good. So it is told that the
 * pages of one that is whole are not, when the directory has changed, and by
 * then somebody has it open who shares the copy.
 *
 * All of it is called from one thread. */
#pragma once

#include <glib.h>

typedef struct {
    guint64 state;     /* changes with the directory */
    guint64 of;        /* what the copy is of; 0: of several states, or none */
    gboolean dropping; /* one has opened it to make it anew, and not begun */
    gboolean making;   /* begun, and not come to its end */
    GArray *handles;   /* of those who share the copy */
    guint64 last_handle;
    guint n_in_vain; /* times that the kernel has asked for what it should have
                        had */
} FsListingCopy;

/* @state is never 0. */
void fs_listing_copy_init(FsListingCopy *copy, guint64 state);
void fs_listing_copy_clear(FsListingCopy *copy);

typedef enum {
    FS_LISTING_SHARED, /* uses the copy, and puts into it */
    FS_LISTING_ANEW,   /* drops it, and makes another */
    FS_LISTING_APART,  /* does nothing of both */
} FsListingUse;

/* The directory is being opened. *@handle stands for who has; it is for
 * fs_listing_copy_close, also if the open failed. */
FsListingUse fs_listing_copy_open(FsListingCopy *copy, guint64 *handle);
void fs_listing_copy_close(FsListingCopy *copy, guint64 handle);

/* The kernel asks for the beginning of the listing; and has been given its
 * end. */
void fs_listing_copy_begin(FsListingCopy *copy, guint64 handle);
void fs_listing_copy_end(FsListingCopy *copy, guint64 handle);

/* The directory has changed, and is now in @state: another than ever
 * before. */
void fs_listing_copy_change(FsListingCopy *copy, guint64 state);

/* Somebody shares a copy that is whole, and not of the present state: the
 * kernel is to drop its pages. It may come to be so with each change, each end,
 * and each close. */
gboolean fs_listing_copy_is_outdated(const FsListingCopy *copy);

/* The kernel makes copies that come to nothing, and is to forget the directory:
 * it has lost a part of one in the making, for want of memory perhaps. Says so
 * once; again only when a copy has been of use since. */
gboolean fs_listing_copy_is_stuck(FsListingCopy *copy);
