/* Options whose values are unlike those of others of their kind: what they do
 * to FsOptions, and what it has of them. For the table alone; see
 * FsMountOption.
 */
#pragma once

#include "fs/options/mount-option-table.h"

gboolean fs_set_read_write(FsOptions *options, const FsMountOption *option,
                           const char *value, GError **error);
gboolean fs_set_timeout(FsOptions *options, const FsMountOption *option,
                        const char *value, GError **error);
gboolean fs_set_mechanism(FsOptions *options, const FsMountOption *option,
                          const char *value, GError **error);
gboolean fs_set_fingerprint(FsOptions *options, const FsMountOption *option,
                            const char *value, GError **error);
gboolean fs_set_cache_dir(FsOptions *options, const FsMountOption *option,
                          const char *value, GError **error);
gboolean fs_set_state_dir(FsOptions *options, const FsMountOption *option,
                          const char *value, GError **error);
gboolean fs_set_new_flags(FsOptions *options, const FsMountOption *option,
                          const char *value, GError **error);
gboolean fs_set_crawlers(FsOptions *options, const FsMountOption *option,
                         const char *value, GError **error);
gboolean fs_set_umask(FsOptions *options, const FsMountOption *option,
                      const char *value, GError **error);

char *fs_show_timeout(const FsOptions *options, const FsMountOption *option);
char *fs_show_mechanism(const FsOptions *options, const FsMountOption *option);
char *fs_show_cache_dir(const FsOptions *options, const FsMountOption *option);
char *fs_show_state_dir(const FsOptions *options, const FsMountOption *option);
char *fs_show_new_flags(const FsOptions *options, const FsMountOption *option);
char *fs_show_crawlers(const FsOptions *options, const FsMountOption *option);
char *fs_show_umask(const FsOptions *options, const FsMountOption *option);
