/* The mailbox that a connection has selected, kept current by what the server
 * says (RFC 9051 section 7). */
#pragma once

#include "imap/response.h"

typedef struct {
    char *name;            /* wire name; NULL: none is selected */
    guint64 uidvalidity;   /* 0: the server did not say */
    guint64 uidnext;       /* likewise */
    guint64 highestmodseq; /* 0: the server did not say, or has none */
    guint64 modseq_heard;  /* the highest of any message since, or that: all up
                              to it had happened when it was told */
    gboolean nomodseq;     /* it says that it has none */
    guint64 exists;
    guint64 exists_searched; /* the same when the last SEARCH was answered: what
                                follows that before its OK is told behind it */
    gboolean examined;       /* it was selected only to be read */
    gboolean read_only;      /* nothing else can be done with it */
    char *permanent_flags; /* it keeps; words, spaces between. NULL: the server
                              did not say, so any */
    gboolean emptied;      /* the last message has gone since it was selected */
    guint changes;         /* goes up when messages come or go */
    guint arrivals;        /* goes up when messages come */
    guint flag_changes;    /* goes up when the server tells flags unasked */
} ImapMailbox;

/* Drops what it owns, its name among it. */
void imap_mailbox_clear(ImapMailbox *mailbox);

/* Whether the mailbox keeps @flag ("\Seen", or a keyword) for good. */
gboolean imap_mailbox_keeps_flag(const ImapMailbox *mailbox, const char *flag);

/* Takes over the codes of an OK that concern the mailbox. */
void imap_mailbox_apply_codes(ImapMailbox *mailbox, const ImapStatus *status);

/* Takes over EXISTS, EXPUNGE and VANISHED, and notes a SEARCH and the MODSEQ of
 * a FETCH; others, and all while no mailbox is selected, are passed over. */
void imap_mailbox_apply(ImapMailbox *mailbox, const ImapResponse *response);
/* Counts the flags of a response that no command has taken. */
void imap_mailbox_apply_unasked(ImapMailbox *mailbox,
                                const ImapResponse *response);
