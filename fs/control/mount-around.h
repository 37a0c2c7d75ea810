/* The mount that a path lies in, for who has named a folder of it instead. */
#pragma once

#include <glib.h>

/* "PATH is no mount of imapfs", and if it lies in one, which to name. @path may
 * be anything. Free with g_free. */
char *fs_mount_around_sentence(const char *path);
