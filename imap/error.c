/* The error domain of imap/. */
#include "imap/error.h"

G_DEFINE_QUARK(imap_error, imap_error)
