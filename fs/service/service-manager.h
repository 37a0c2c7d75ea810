/* Word to the service manager that runs us (systemd, Type=notify), if one does:
 * the protocol of sd_notify(3), which is a datagram for each message.
 *
 * All of it does nothing where no manager wants to hear. Nothing waits: what
 * the manager does not take at once is sent when it does. */
#pragma once

#include <glib.h>

/* Takes $NOTIFY_SOCKET out of the environment, so that no command that we run
 * speaks in our name. To be called before the others. */
void fs_service_manager_find(void);
/* Nothing is sent any more, and what was not taken is dropped. */
void fs_service_manager_forget(void);

/* Mounted, or done with what fs_service_manager_reloading began. */
void fs_service_manager_ready(void);
void fs_service_manager_reloading(void);
void fs_service_manager_stopping(void);
/* What goes on, in a line for people. Said again only when it is another. */
void fs_service_manager_status(const char *format, ...) G_GNUC_PRINTF(1, 2);
