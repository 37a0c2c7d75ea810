/* What to do about an error of the line or the login, where the library that
 * found it, which knows nothing of options and providers, has not said so. */
#pragma once

#include "fs/options/options.h"

/* Adds the remedy to the end of the sentence of *@error. */
void fs_remedies_add(GError **error, const FsOptions *options);
