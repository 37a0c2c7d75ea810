/* The protocol on stderr, for --trace, with credentials left out. */
#pragma once

#include <glib.h>

/* Off at first. */
void imap_trace_enable(gboolean enable);
gboolean imap_trace_is_enabled(void);

/* One line of talk on connection @connection: control characters made
 * visible, cut at a bound. Does nothing while off. */
void imap_trace_line(guint connection, gboolean outgoing, const char *text,
                     gsize length);

/* The first lines of what came in one read: enough to follow the protocol, not
 * the whole of every message. */
void imap_trace_received(guint connection, const guint8 *data, gsize length);
