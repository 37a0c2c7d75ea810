#include "imap/allowance.h"

void
imap_allowance_init(ImapAllowance *allowance, guint max)
{
    *allowance = (ImapAllowance){
        .max = max,
        .limit = max,
        .pause = IMAP_ALLOWANCE_PAUSE_US,
    };
}

/* Several attempts that were under way together are refused together: that is
 * one refusal. */
void
imap_allowance_refused(ImapAllowance *allowance, guint n_others, gint64 now)
{
    allowance->limit = CLAMP(n_others, 1, allowance->limit);
    allowance->is_trying = FALSE;
    if (now < allowance->grow_at)
        return;
    allowance->grow_at = now + allowance->pause;
    allowance->pause = MIN(2 * allowance->pause, IMAP_ALLOWANCE_PAUSE_MAX_US);
}

void
imap_allowance_opened(ImapAllowance *allowance, guint n, gint64 now)
{
    if (!allowance->is_trying || n < allowance->limit)
        return;
    allowance->is_trying = FALSE;
    allowance->pause = IMAP_ALLOWANCE_PAUSE_US;
    allowance->grow_at = now;
}

void
imap_allowance_update(ImapAllowance *allowance, gint64 now)
{
    if (allowance->limit >= allowance->max || allowance->is_trying ||
        now < allowance->grow_at)
        return;
    allowance->is_trying = TRUE;
    allowance->limit++;
}
