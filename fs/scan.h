/* Whether a program is reading the files of a directory one after another, and
 * what it will want next. Arithmetic alone: it is told what was opened, and
 * asked how far ahead to fetch. */
#pragma once

#include <glib.h>
