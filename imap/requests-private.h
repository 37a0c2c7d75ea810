/* What the requests share. */
#pragma once

#include "imap/requests.h"

/* Whether @flag can be sent: "\\Seen", or an atom. */
gboolean imap_is_flag(const char *flag);
