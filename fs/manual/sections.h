/* The sections of the table of options, by the names that templates use. */
#pragma once

#include "fs/options/mount-option-table.h"

/* FALSE: there is none of that name. */
gboolean fs_section_by_name(const char *name, FsOptionSection *section);
