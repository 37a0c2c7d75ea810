/* Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), or UTF-8
 * once UTF8=ACCEPT is enabled (RFC 6855). */
#pragma once

#include <glib.h>

/* The UTF-8 of @wire. Tolerant: raw UTF-8 passes, as servers send it without
 * being asked; invalid modified UTF-7 is kept as it stands; octets that are no
 * UTF-8 become U+FFFD. @utf8: the connection has UTF8=ACCEPT enabled, so '&'
 * stands for itself. Never NULL; caller frees. */
char *imap_mailbox_decode(const char *wire, gboolean utf8);

/* The wire name of @name (valid UTF-8). Caller frees. */
char *imap_mailbox_encode(const char *name, gboolean utf8);
