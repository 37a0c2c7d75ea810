/* What may be done where. */
#include "fs/writing/rights.h"

gboolean
fs_rights_may_write(const FsAccount *account, guint32 mailbox)
{
    return !account->options->read_only;
}
