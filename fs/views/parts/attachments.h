/* Whether a message has attachments, by its structure. */
#pragma once

#include "imap/structure.h"

/* Whether a part is meant to be taken apart from the text: one that says so; a
 * message in the message; and what has a name, unless it says that it belongs
 * into the text, or is in a multipart/related, as pictures of HTML are. */
gboolean fs_has_attachments(const ImapStructure *structure);
