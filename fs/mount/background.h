/* Going to the background, once all is well.
 *
 * The fork comes first, before GLib or anything else has a thread, and the
 * parent waits: the child reads the password, connects, logs in and mounts, all
 * on the user's terminal, and then tells the parent to exit 0. Any failure
 * before is the parent's exit status. */
#pragma once

#include <glib.h>

/* Forks. Returns in the child alone; the parent exits with the child's status,
 * or with that of fs_background_detach once it was called. */
void fs_background_start(void);

/* In the child: leaves session and terminal, standard streams to /dev/null, and
 * lets the parent go, which exits with @status. Does nothing if
 * fs_background_start was not called. */
void fs_background_detach(int status);

/* No core file, and no debugger of the same user's: passwords and mail are in
 * our memory. To be called before a secret is there. Does nothing in a build
 * with AddressSanitizer, whose leak check needs to look; callers leave it out
 * when the user asked for --debug. */
void fs_background_protect_secrets(void);
