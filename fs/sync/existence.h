/* Asking a server whether messages exist: many in one command. */
#pragma once

#include "fs/bodies/message-bodies-private.h"

/* @error: the answer cannot be had. Runs once, from the main loop; not at all
 * once the bodies are freed: then @free_data alone. */
typedef void (*FsExistsFunc)(gboolean exists, const GError *error,
                             gpointer user_data);
void fs_existence_ask(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                      FsExistsFunc func, gpointer user_data,
                      GDestroyNotify free_data);
