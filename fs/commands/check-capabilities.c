/* The extensions that make a difference to a mount, and which. */
#include "fs/commands/check-private.h"

typedef struct {
    const char *name;   /* as the report shows it */
    const char *any[3]; /* one of these is announced */
    const char *gives;
    const char *lacks;
} Extension;

static const Extension extensions[] = {
    {"QRESYNC",
     {"QRESYNC"},
     "what has changed in a folder comes in one round trip",
     "which messages are gone is found out by asking for all numbers"},
    {"CONDSTORE",
     {"CONDSTORE", "QRESYNC"},
     "only flags that have changed are told",
     "all flags of a folder are asked for each time"},
    {"NOTIFY",
     {"NOTIFY"},
     "changes in all folders are told at once",
     "other folders than those most in use are asked for"},
    {"IDLE",
     {"IDLE"},
     "changes in a folder are told at once",
     "folders are asked for every now and then"},
    {"UIDPLUS",
     {"UIDPLUS"},
     "a message is expunged without touching others, and a new one has its "
     "number at once",
     "new and moved messages are looked for"},
    {"MOVE",
     {"MOVE"},
     "mv is one step on the server",
     "mv copies, and removes the original when the copy is there"},
    {"SPECIAL-USE",
     {"SPECIAL-USE"},
     "the server says which folder is the trash",
     "delete=trash works only if the server marks the trash all the same"},
    {"LIST-STATUS",
     {"LIST-STATUS"},
     "many folders are looked at in one command",
     "each folder is looked at by itself"},
    {"OBJECTID",
     {"OBJECTID", "X-GM-EXT-1"},
     "a message that is in several folders, or moves, is fetched once",
     "a message that others move is fetched again"},
    {"COMPRESS",
     {"COMPRESS=DEFLATE"},
     "slow lines carry more",
     "slow lines carry mail as it is"},
    {"LITERAL+",
     {"LITERAL+", "LITERAL-"},
     "storing a message takes a round trip less",
     "storing a message takes a round trip more"},
    {"QUOTA", {"QUOTA"}, "df shows what is left", "df cannot tell"},
    {"ACL",
     {"ACL"},
     "permissions show what may be done",
     "what is not permitted fails only when it is tried"},
    {"APPENDLIMIT",
     {"APPENDLIMIT"},
     "what is too large is refused before it is sent",
     "what is too large may be refused only when it was sent"},
};

static gboolean
is_announced(const FsCheck *check, const char *name)
{
    guint64 number;

    return imap_connection_has(check->connection, name) ||
           imap_capabilities_number(
               imap_connection_capabilities(check->connection), name, &number);
}

void
fs_check_capabilities(FsCheck *check)
{
    const char *server = imap_connection_server_name(check->connection);

    fs_check_say(check, FS_MARK_NONE, "Software", "%s",
                 server != NULL ? server : "the server does not say");
    for (guint i = 0; i < G_N_ELEMENTS(extensions); i++) {
        const Extension *extension = &extensions[i];
        gboolean found = FALSE;

        for (guint j = 0; j < G_N_ELEMENTS(extension->any); j++)
            found |= extension->any[j] != NULL &&
                     is_announced(check, extension->any[j]);
        fs_check_say(check, found ? FS_MARK_GOOD : FS_MARK_LACKING,
                     extension->name, "%s",
                     found ? extension->gives : extension->lacks);
    }
}
