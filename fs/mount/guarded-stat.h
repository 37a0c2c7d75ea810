/* Looking at a directory where something may be mounted that nobody serves. */
#pragma once

#include <sys/stat.h>

/* As stat(2), of @path: 0, or an errno. ETIMEDOUT: a FUSE file system is
 * mounted there and has not answered for some seconds. */
int fs_guarded_stat(const char *path, struct stat *attributes);
