/* The mailbox that a connection has selected. Messages are known by UID alone,
 * so of an EXPUNGE only the count matters. */
#include "imap/mailbox.h"

void
imap_mailbox_apply_codes(ImapMailbox *mailbox, const ImapStatus *status)
{
    if (status->condition != IMAP_CONDITION_OK)
        return;
    imap_status_code_number(status, "UIDVALIDITY", &mailbox->uidvalidity);
    imap_status_code_number(status, "UIDNEXT", &mailbox->uidnext);
    if (imap_status_code(status, "NOMODSEQ") != NULL) {
        mailbox->nomodseq = TRUE;
        mailbox->highestmodseq = 0;
    }
    if (!mailbox->nomodseq)
        imap_status_code_number(status, "HIGHESTMODSEQ",
                                &mailbox->highestmodseq);
}

void
imap_mailbox_apply(ImapMailbox *mailbox, const ImapResponse *response)
{
    guint64 gone;

    if (mailbox->name == NULL)
        return;
    if (response->type == IMAP_RESPONSE_SEARCH) {
        mailbox->exists_searched = mailbox->exists;
    } else if (response->type == IMAP_RESPONSE_EXISTS) {
        /* Some servers say it again and again. */
        mailbox->changes += mailbox->exists != response->number;
        mailbox->exists = response->number;
    } else if (response->type == IMAP_RESPONSE_EXPUNGE) {
        mailbox->exists -= mailbox->exists > 0;
        mailbox->changes++;
    } else if (response->type == IMAP_RESPONSE_VANISHED &&
               !response->vanished->earlier) {
        gone = imap_uid_set_count(response->vanished->uids);
        mailbox->exists -= MIN(gone, mailbox->exists);
        mailbox->changes++;
    }
}

void
imap_mailbox_apply_unasked(ImapMailbox *mailbox, const ImapResponse *response)
{
    if (mailbox->name != NULL && response->type == IMAP_RESPONSE_FETCH &&
        response->fetch->flags != NULL)
        mailbox->flag_changes++;
}
