/* The server of a domain, from its SRV records (RFC 6186). */
#pragma once

#include "fs/options/options.h"

/* Fills host, port and TLS of the settings where options->discover names a
 * domain, and does nothing otherwise. Blocks, for the timeout at most, and is
 * therefore for the time before the main loop; it may start threads.
 *
 * TLS is never less than required: _imaps._tcp means TLS from the start,
 * _imap._tcp means STARTTLS. Whoever answers in the name of the DNS must not be
 * able to send the password elsewhere: so the host must be in the domain that
 * was asked, and its certificate must be that host's. Another host is refused
 * with its URL, which the user then writes if it is right (section 6). Fails
 * with FS_ERROR_USAGE. */
gboolean fs_discovery_run(FsOptions *options, GError **error);

/* The URL of the server that the host of @options names, if it is one of its
 * domain and another than that: for who took the domain for the server. NULL:
 * none is known. Blocks for some seconds at most, likewise. Caller frees. */
char *fs_discovery_suggest(const FsOptions *options);
