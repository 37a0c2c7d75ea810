/* The server that an account was last logged in to, of those that its domain
 * names: for when the name servers cannot be asked (a train, and offline_ok).
 *
 * It is kept beside the state of the account, and only after a login, so after
 * its certificate was found right. What is read is held to the same rules as an
 * answer of the name servers: a host of the domain, and TLS. */
#pragma once

#include "fs/options/options.h"

/* Into @directory, that of the state; NULL, or nothing if the server was not
 * asked for. A failure is no more than a message. */
void fs_known_server_keep(const FsOptions *options, const char *directory);

/* Fills options->servers and the settings. FALSE: none is known. */
gboolean fs_known_server_take(FsOptions *options);

/* Whether @host is @domain, or in it. */
gboolean fs_known_server_is_within(const char *host, const char *domain);
