/* A number is taken for a slot of 20 bits, and 44 that stay as they are: twelve
 * of the mailbox and the UID. The slots of the first quarter are those by rule,
 * ten bits of account and eight of mailbox; each of the others stands for an
 * account, its first twelve bits, and the same eight of mailbox. */
#include "fs/kernel/node-numbers.h"

#include <string.h>

#define SLOT_SHIFT 44
#define REST_MASK ((G_GUINT64_CONSTANT(1) << SLOT_SHIFT) - 1)
/* In the upper 20 bits of an account's own number. */
#define MAILBOX_BITS 8
#define MAILBOX_MASK 0xffu
#define OWN_BITS 20
#define SLOT_FIRST (1u << 18) /* that is not by rule */
#define SLOTS_MAX (1u << 20)

struct FsNodeNumbers {
    GMutex lock;       /* over all below */
    GArray *given;     /* of guint32: what slot SLOT_FIRST + i stands for */
    GHashTable *slots; /* what it stands for -> slot */
};

FsNodeNumbers *
fs_node_numbers_new(void)
{
    FsNodeNumbers *numbers = g_new0(FsNodeNumbers, 1);

    g_mutex_init(&numbers->lock);
    numbers->given = g_array_new(FALSE, FALSE, sizeof(guint32));
    numbers->slots = g_hash_table_new(NULL, NULL);
    return numbers;
}

void
fs_node_numbers_free(FsNodeNumbers *numbers)
{
    if (numbers == NULL)
        return;
    g_hash_table_unref(numbers->slots);
    g_array_unref(numbers->given);
    g_mutex_clear(&numbers->lock);
    g_free(numbers);
}

static guint
slot_by_rule(guint account, guint own)
{
    return account << MAILBOX_BITS | (own & MAILBOX_MASK);
}

/* 0: none. */
static guint
slot_of(FsNodeNumbers *numbers, guint account, guint own, gboolean give)
{
    guint32 key = account << OWN_BITS | own;
    guint slot;

    g_mutex_lock(&numbers->lock);
    slot = GPOINTER_TO_UINT(
        g_hash_table_lookup(numbers->slots, GUINT_TO_POINTER(key)));
    if (slot == 0 && give && SLOT_FIRST + numbers->given->len < SLOTS_MAX) {
        slot = SLOT_FIRST + numbers->given->len;
        g_array_append_val(numbers->given, key);
        g_hash_table_insert(numbers->slots, GUINT_TO_POINTER(key),
                            GUINT_TO_POINTER(slot));
    }
    g_mutex_unlock(&numbers->lock);
    return slot;
}

static guint64
number_of(FsNodeNumbers *numbers, guint account, guint64 inode, gboolean give)
{
    guint own = (guint)(inode >> SLOT_SHIFT);
    guint slot = own <= MAILBOX_MASK ? slot_by_rule(account, own)
                                     : slot_of(numbers, account, own, give);

    return slot == 0 ? 0 : (guint64)slot << SLOT_SHIFT | (inode & REST_MASK);
}

guint64
fs_node_numbers_tell(FsNodeNumbers *numbers, guint account, guint64 inode)
{
    return number_of(numbers, account, inode, TRUE);
}

guint64
fs_node_numbers_told(FsNodeNumbers *numbers, guint account, guint64 inode)
{
    return number_of(numbers, account, inode, FALSE);
}

guint
fs_node_numbers_find(FsNodeNumbers *numbers, guint64 number, guint64 *inode)
{
    guint slot = (guint)(number >> SLOT_SHIFT);
    guint account = slot >> MAILBOX_BITS;
    guint own = slot & MAILBOX_MASK;

    if (slot >= SLOT_FIRST) {
        guint32 key = 0;

        g_mutex_lock(&numbers->lock);
        if (slot - SLOT_FIRST < numbers->given->len)
            key = g_array_index(numbers->given, guint32, slot - SLOT_FIRST);
        g_mutex_unlock(&numbers->lock);
        account = key >> OWN_BITS;
        own = key & ((1u << OWN_BITS) - 1);
    }
    *inode = (guint64)own << SLOT_SHIFT | (number & REST_MASK);
    return account;
}

/* FNV-1a: the same on every machine, and for ever. */
static guint
number_of_name(const char *name)
{
    guint32 hash = 2166136261u;

    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (guchar)*at) * 16777619u;
    return 1 + (hash ^ hash >> 16) % FS_NODE_ACCOUNT_MAX;
}

static int
compare_names(gconstpointer a, gconstpointer b, gpointer names)
{
    const char *const *all = names;

    return strcmp(all[*(const guint *)a], all[*(const guint *)b]);
}

void
fs_node_numbers_of_names(const char *const *names, guint n, guint *accounts)
{
    g_autofree gboolean *taken = g_new0(gboolean, FS_NODE_ACCOUNT_MAX + 1);
    g_autofree guint *order = g_new(guint, n);

    g_assert(n <= FS_NODE_ACCOUNT_MAX);
    for (guint i = 0; i < n; i++)
        order[i] = i;
    /* Not as they stand in the file: that may change. */
    g_qsort_with_data(order, (gint)n, sizeof *order, compare_names,
                      (gpointer)names);
    for (guint i = 0; i < n; i++) {
        guint number = number_of_name(names[order[i]]);

        while (taken[number])
            number = number % FS_NODE_ACCOUNT_MAX + 1;
        taken[number] = TRUE;
        accounts[order[i]] = number;
    }
}
