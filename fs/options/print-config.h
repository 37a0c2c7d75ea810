/* --print-config: what is in force for an account, and where it was chosen. */
#pragma once

#include "fs/options/choices.h"

/* As a group of a configuration file that would choose the same, what is not
 * chosen in comments. Commands, which may hold a secret, are "***". @file: the
 * path of the configuration file; NULL: it was not looked at. Caller frees. */
char *fs_print_config(const FsOptions *options, const FsChoices *choices,
                      const char *file);
