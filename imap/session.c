/* What the login has found out about the server, for whoever asks. */
#include "imap/connection-private.h"

static const ImapSession *
session_of(const ImapConnection *connection)
{
    return imap_connection_session((ImapConnection *)connection);
}

gboolean
imap_connection_has(const ImapConnection *connection, const char *capability)
{
    return imap_capabilities_has(session_of(connection)->capabilities,
                                 capability);
}

const ImapCapabilities *
imap_connection_capabilities(const ImapConnection *connection)
{
    return session_of(connection)->capabilities;
}

gboolean
imap_connection_is_utf8(const ImapConnection *connection)
{
    return session_of(connection)->utf8;
}

gboolean
imap_connection_has_condstore(const ImapConnection *connection)
{
    return session_of(connection)->condstore ||
           session_of(connection)->qresync ||
           imap_connection_has(connection, "CONDSTORE") ||
           imap_connection_has(connection, "QRESYNC");
}

gboolean
imap_connection_has_qresync(const ImapConnection *connection)
{
    return session_of(connection)->qresync;
}

const char *
imap_connection_mechanism(const ImapConnection *connection)
{
    return session_of(connection)->mechanism;
}

const char *
imap_connection_server_name(const ImapConnection *connection)
{
    return session_of(connection)->server;
}

char **
imap_connection_foreign_namespaces(const ImapConnection *connection)
{
    return session_of(connection)->foreign_namespaces;
}
