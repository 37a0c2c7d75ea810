/* The servers of one account, of which any will do: in the order in which they
 * are to be tried (RFC 2782). The settings name one of them at a time. */
#pragma once

#include "imap/settings.h"

#include <glib.h>

/* More are not tried. */
#define IMAP_SERVERS_MAX 8u

typedef struct ImapServers ImapServers;

/* None yet. @settings, borrowed, is what the choice is written to. */
ImapServers *imap_servers_new(ImapSettings *settings);
void imap_servers_free(ImapServers *servers); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapServers, imap_servers_free)

/* Behind those that are there; the first is chosen. One that is there already,
 * or one too many, is left out. */
void imap_servers_add(ImapServers *servers, const char *host, guint16 port,
                      ImapTls tls);
guint imap_servers_count(const ImapServers *servers);

/* No connection could be made to the one that is chosen, for @error; no other
 * connection may use the settings. TRUE: the settings name the best of those
 * that have not been tried since the last that could be reached. FALSE: there
 * is none, or @error says that this one was reached (a refused login is never
 * tried elsewhere). When all have failed, @all becomes the first error, with a
 * word about the others, and the settings name the first again. */
gboolean imap_servers_next(ImapServers *servers, const GError *error,
                           GError **all);
/* The one that is chosen could be reached: it stays. */
void imap_servers_reached(ImapServers *servers);

/* Told, inside imap_servers_next, that none could be reached: there may be
 * others by now. NULL: nobody. */
typedef void (*ImapServersFunc)(gpointer user_data);
void imap_servers_set_failed_func(ImapServers *servers, ImapServersFunc failed,
                                  gpointer user_data);
/* Those of @others take the place of all that are there when the one that is
 * chosen fails the next time; nothing is done if they are the same.
 * Takes ownership of @others. */
void imap_servers_renew(ImapServers *servers, ImapServers *others);
