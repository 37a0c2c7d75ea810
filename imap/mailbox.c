/* The mailbox that a connection has selected. Messages are known by UID alone,
 * so of an EXPUNGE only the count matters. */
#include "imap/mailbox.h"

#include <string.h>

/* A server that lists more is playing with our memory. */
#define MAX_PERMANENT_FLAGS (64u * 1024) /* octets */

void
imap_mailbox_clear(ImapMailbox *mailbox)
{
    g_clear_pointer(&mailbox->name, g_free);
    g_clear_pointer(&mailbox->permanent_flags, g_free);
}

gboolean
imap_mailbox_keeps_flag(const ImapMailbox *mailbox, const char *flag)
{
    g_auto(GStrv) words = NULL;

    if (mailbox->permanent_flags == NULL)
        return TRUE;
    words = g_strsplit(mailbox->permanent_flags, " ", 0);
    for (char **word = words; *word != NULL; word++) {
        if (g_ascii_strcasecmp(*word, flag) == 0)
            return TRUE;
        if (strcmp(*word, "\\*") == 0 && flag[0] != '\\')
            return TRUE;
    }
    return FALSE;
}

/* PERMANENTFLAGS (\Seen work \*) */
static void
apply_permanent_flags(ImapMailbox *mailbox, const ImapStatus *status)
{
    const char *flags = imap_status_code(status, "PERMANENTFLAGS");

    if (flags == NULL)
        return;
    g_clear_pointer(&mailbox->permanent_flags, g_free);
    if (strlen(flags) > MAX_PERMANENT_FLAGS)
        return;
    mailbox->permanent_flags = g_strdup(flags);
    g_strdelimit(mailbox->permanent_flags, "()", ' ');
    g_strstrip(mailbox->permanent_flags);
}

void
imap_mailbox_apply_codes(ImapMailbox *mailbox, const ImapStatus *status)
{
    if (status->condition != IMAP_CONDITION_OK)
        return;
    imap_status_code_number(status, "UIDVALIDITY", &mailbox->uidvalidity);
    imap_status_code_number(status, "UIDNEXT", &mailbox->uidnext);
    apply_permanent_flags(mailbox, status);
    if (imap_status_code(status, "READ-ONLY") != NULL)
        mailbox->read_only = TRUE;
    else if (imap_status_code(status, "READ-WRITE") != NULL)
        mailbox->read_only = mailbox->examined;
    if (imap_status_code(status, "NOMODSEQ") != NULL) {
        mailbox->nomodseq = TRUE;
        mailbox->highestmodseq = 0;
        mailbox->modseq_heard = 0;
    }
    /* One that is lower than what was heard takes that back: so Dovecot says
     * that it has not told all that has gone. */
    if (!mailbox->nomodseq && imap_status_code_number(status, "HIGHESTMODSEQ",
                                                      &mailbox->highestmodseq))
        mailbox->modseq_heard = mailbox->highestmodseq;
}

/* What is no mod-sequence (RFC 7162, section 7: 63 bits) tells nothing. */
static void
hear_modseq(ImapMailbox *mailbox, const ImapFetch *fetch)
{
    if (fetch->has_modseq && fetch->modseq <= G_MAXINT64 && !mailbox->nomodseq)
        mailbox->modseq_heard = MAX(mailbox->modseq_heard, fetch->modseq);
}

void
imap_mailbox_apply(ImapMailbox *mailbox, const ImapResponse *response)
{
    guint64 before = mailbox->exists;
    guint64 gone;

    if (mailbox->name == NULL)
        return;
    if (response->type == IMAP_RESPONSE_SEARCH) {
        mailbox->exists_searched = mailbox->exists;
    } else if (response->type == IMAP_RESPONSE_EXISTS) {
        /* Some servers say it again and again. */
        mailbox->changes += mailbox->exists != response->number;
        mailbox->arrivals += mailbox->exists < response->number;
        mailbox->exists = response->number;
    } else if (response->type == IMAP_RESPONSE_EXPUNGE) {
        mailbox->exists -= mailbox->exists > 0;
        mailbox->changes++;
    } else if (response->type == IMAP_RESPONSE_FETCH) {
        hear_modseq(mailbox, response->fetch);
    } else if (response->type == IMAP_RESPONSE_VANISHED &&
               !response->vanished->earlier) {
        gone = imap_uid_set_count(response->vanished->uids);
        mailbox->exists -= MIN(gone, mailbox->exists);
        mailbox->changes++;
    }
    if (before > 0 && mailbox->exists == 0)
        mailbox->emptied = TRUE;
}

void
imap_mailbox_apply_unasked(ImapMailbox *mailbox, const ImapResponse *response)
{
    if (mailbox->name != NULL && response->type == IMAP_RESPONSE_FETCH &&
        response->fetch->flags != NULL)
        mailbox->flag_changes++;
}
