/* What stands for an account, on the command line and behind url in the
 * configuration file:
 *
 *     imaps://alice@mail.example.org/   a server
 *     gmail:alice@gmail.com             a provider that is known by name
 *     alice@example.org                 an address, of a known provider or of a
 *                                       domain that says where its server is
 *     work                              an account of the configuration file
 */
#pragma once

#include "fs/options/conf-file.h"

/* Puts what @word says into @options (host, TLS, user, account, login_hint,
 * discover) and adds what follows from it to @choices. @config: the file that
 * --config names; NULL: the usual one, which need not be there. Fails with
 * FS_ERROR_USAGE. No message repeats a word that could hold a password. */
gboolean fs_account_source_choose(const char *word, const char *config,
                                  FsChoices *choices, FsOptions *options,
                                  GError **error);

/* The configuration file, from @config or from its usual place; NULL without
 * an error if there is none there. */
FsConfFile *fs_account_source_file(const char *config, GError **error);
