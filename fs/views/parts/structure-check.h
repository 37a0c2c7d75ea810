/* Asks the server for what it takes to prove what it says of a message
 * (fs/views/parts/structure-proof.h). */
#pragma once

#include "fs/views/parts/structure-proof.h"
#include "imap/connection.h"

/* @doubtful: all has come, and does not prove it. Runs once, from the main
 * loop. */
typedef void (*FsStructureCheckFunc)(gboolean doubtful, gpointer user_data);

/* Of the message @uid of the mailbox that is selected; takes ownership of
 * @proof. @connection must be there until @done has run. */
void fs_structure_check(ImapConnection *connection, guint32 uid,
                        FsStructureProof *proof, FsStructureCheckFunc done,
                        gpointer user_data);
