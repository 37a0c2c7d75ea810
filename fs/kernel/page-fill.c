/* Which files are open, and a bit for each that was given. */
#include "fs/kernel/page-fill.h"

/* Inode numbers whose bits lie together. */
#define BITS 512
#define WORD_BITS 64

typedef struct {
    guint64 inode;
    guint count;
} OpenFile;

typedef struct {
    guint64 number; /* of inodes, divided by BITS */
    guint64 words[BITS / WORD_BITS];
} Given;

struct FsPageFill {
    struct fuse_session *fuse;
    GHashTable *open;  /* OpenFile, owned, by its inode */
    GHashTable *given; /* Given, owned, by its number */
};

FsPageFill *
fs_page_fill_new(void)
{
    FsPageFill *fill = g_new0(FsPageFill, 1);

    fill->open =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    fill->given =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return fill;
}

void
fs_page_fill_free(FsPageFill *fill)
{
    if (fill == NULL)
        return;
    g_hash_table_unref(fill->open);
    g_hash_table_unref(fill->given);
    g_free(fill);
}

void
fs_page_fill_attach(FsPageFill *fill, struct fuse_session *fuse)
{
    fill->fuse = fuse;
}

/* ---- what was given ---- */

static guint64
bit_of(guint64 inode)
{
    return G_GUINT64_CONSTANT(1) << (inode % WORD_BITS);
}

static gboolean
was_given(const FsPageFill *fill, guint64 inode)
{
    guint64 number = inode / BITS;
    const Given *given = g_hash_table_lookup(fill->given, &number);

    return given != NULL &&
           (given->words[inode % BITS / WORD_BITS] & bit_of(inode)) != 0;
}

static void
note_given(FsPageFill *fill, guint64 inode)
{
    guint64 number = inode / BITS;
    Given *given = g_hash_table_lookup(fill->given, &number);

    if (given == NULL) {
        given = g_new0(Given, 1);
        given->number = number;
        g_hash_table_add(fill->given, given);
    }
    given->words[inode % BITS / WORD_BITS] |= bit_of(inode);
}

gboolean
fs_page_fill_is_due(const FsPageFill *fill, guint64 inode)
{
    return !was_given(fill, inode) &&
           !g_hash_table_contains(fill->open, &inode);
}

void
fs_page_fill_give(FsPageFill *fill, guint64 inode, GBytes *content)
{
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(g_bytes_get_size(content));

    buffer.buf[0].mem = (gpointer)g_bytes_get_data(content, NULL);
    note_given(fill, inode);
    /* Safe on the loop, as nothing of the file is under way. If it fails, the
     * kernel asks. */
    fuse_lowlevel_notify_store(fill->fuse, inode, 0, &buffer, 0);
}

/* ---- what is open ---- */

void
fs_page_fill_opened(FsPageFill *fill, guint64 inode)
{
    OpenFile *file = g_hash_table_lookup(fill->open, &inode);

    if (file == NULL) {
        file = g_new0(OpenFile, 1);
        file->inode = inode;
        g_hash_table_add(fill->open, file);
    }
    file->count++;
}

void
fs_page_fill_closed(FsPageFill *fill, guint64 inode)
{
    OpenFile *file = g_hash_table_lookup(fill->open, &inode);

    if (file != NULL && --file->count == 0)
        g_hash_table_remove(fill->open, &inode);
}
