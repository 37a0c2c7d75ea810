/* Processes that stand beside the daemon for the whole of a mount: one that
 * outlives it if it is killed, and one that may do what the daemon itself must
 * not, which is to use the mount.
 *
 * They are forked before there is a thread, a secret, a connection or a mount,
 * and keep nothing of what the daemon had open but their end of a line to it.
 * They are the daemon's own children, and reaped nowhere but here: so the
 * process id of one is nobody else's until it is known to be gone. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct FsHelperProcess FsHelperProcess;

/* What a helper does, and when it returns, ends. @line is its end of the line,
 * where each message is read as a whole (SOCK_SEQPACKET); it ends when the
 * daemon does. */
typedef void (*FsHelperFunc)(int line, pid_t daemon);

/* Forks one, which shows as @name (15 octets at most) in the list of processes.
 * It is out of the terminal's reach, and signals that ask to end it are left to
 * the daemon. NULL if there is no more to be had; that is said. */
FsHelperProcess *fs_helper_process_start(const char *name, FsHelperFunc func);

/* Kills it, and waits until it is gone; but not for long for one that is stuck
 * in the kernel. Accepts NULL. */
void fs_helper_process_free(FsHelperProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsHelperProcess, fs_helper_process_free)

/* The daemon's end, which does not block. Readable at its end, too. */
int fs_helper_process_line(const FsHelperProcess *process);
pid_t fs_helper_process_id(const FsHelperProcess *process);
