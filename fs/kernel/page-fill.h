/* Small messages are given to the kernel's page cache while their first OPEN is
 * answered.
 *
 * A program that reads a file once then sends nothing between OPEN and RELEASE:
 * no READ, and no GETATTR for the access time that a READ makes void (tar asks
 * for it). That is half of the requests of a scan, and of the time that they
 * take. Each message is given once: who reads it again finds it there, or the
 * kernel wanted the memory, and asks by READ as ever. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

typedef struct FsPageFill FsPageFill;

FsPageFill *fs_page_fill_new(void);
void fs_page_fill_free(FsPageFill *fill); /* accepts NULL */
/* Before the first request. */
void fs_page_fill_attach(FsPageFill *fill, struct fuse_session *fuse);

/* Whether to fill @inode, a file whose OPEN is about to be answered. FALSE when
 * that was done before; and while it is open: then a READ of it may be on its
 * way, the kernel holds its page until we answer, and we would wait for the
 * page. */
gboolean fs_page_fill_is_due(const FsPageFill *fill, guint64 inode);
/* Fills it; only if that is due. @content: all of it. */
void fs_page_fill_give(FsPageFill *fill, guint64 inode, GBytes *content);

/* It is open, once more; and closed, once. */
void fs_page_fill_opened(FsPageFill *fill, guint64 inode);
void fs_page_fill_closed(FsPageFill *fill, guint64 inode);
