/* Inode numbers in what the kernel and an account say to one another, where
 * several accounts have a mount together: each message is taken as it is on
 * /dev/fuse, and its numbers are put in the other's terms, in place.
 *
 * All of them fail, and may have changed the message by half, when it is too
 * short for what it says it is. */
#pragma once

#include "fs/kernel/node-numbers.h"

#include <linux/fuse.h>

/* A request with its header, of @length octets, for @account. FALSE also if it
 * is about something of another account, too: EXDEV. */
gboolean fs_branch_wire_request(FsNodeNumbers *numbers, guint account,
                                struct fuse_in_header *request, gsize length);

/* Whether an answer to @opcode has numbers in it. */
gboolean fs_branch_wire_has_numbers(guint32 opcode);
/* An answer to it, without its header. FALSE also if there are no more numbers
 * to be had. @body is aligned as its structures are. */
gboolean fs_branch_wire_reply(FsNodeNumbers *numbers, guint account,
                              guint32 opcode, void *body, gsize length);

/* A notification with @code (enum fuse_notify_code): what follows its header.
 * FALSE also if the kernel does not know what it is about. */
gboolean fs_branch_wire_notification(FsNodeNumbers *numbers, guint account,
                                     int code, void *body, gsize length);
