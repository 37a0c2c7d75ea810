/* What nearly every file includes: a third of the time of compiling it. Used
 * with -Db_pch=true alone, for a file that forgets its includes compiles with
 * it. */
#include <gio/gio.h>
#include <glib.h>
