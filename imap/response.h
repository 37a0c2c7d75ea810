/* What a server says, one typed value per response (RFC 9051 section 7).
 *
 * Everything here is made by the parser, borrowed by whoever it is shown to,
 * and gone when that call returns. Strings are NUL-terminated; the parser
 * refuses a NUL from the server inside them. */
#pragma once

#include "imap/uid-set.h"

#include <glib.h>

typedef struct ImapStructure ImapStructure; /* imap/structure.h */

/* BINARY.SIZE (RFC 3516): how large a part is when it is decoded. */
typedef struct {
    char *section;
    guint64 size;
} ImapBinarySize;

typedef enum {
    IMAP_CONDITION_OK,
    IMAP_CONDITION_NO,
    IMAP_CONDITION_BAD,
    IMAP_CONDITION_BYE,
    IMAP_CONDITION_PREAUTH,
} ImapCondition;

/* "[UIDNEXT 4392]": name in upper case, the rest as it came, "" if none. */
typedef struct {
    char *name;
    char *arguments;
} ImapResponseCode;

/* OK, NO, BAD, BYE and PREAUTH, tagged or not. */
typedef struct {
    char *tag; /* NULL when untagged */
    ImapCondition condition;
    GArray *codes; /* of ImapResponseCode; usually none or one */
    char *text;    /* for people: valid UTF-8, no control characters */
} ImapStatus;

/* The arguments of the code @name (upper case), "" if it has none, NULL if
 * @status has no such code. */
const char *imap_status_code(const ImapStatus *status, const char *name);

/* The same as a number; FALSE when absent or no number. */
gboolean imap_status_code_number(const ImapStatus *status, const char *name,
                                 guint64 *number);

/* The server's text as a part of a sentence of ours: without a full stop, and
 * without the time that it took (Dovecot). Caller frees. */
char *imap_status_words(const ImapStatus *status);

/* Why @status refuses, in the domain IMAP_ERROR, by its response code; the
 * message is the server's words. NULL for OK and PREAUTH. Caller frees. */
GError *imap_error_from_status(const ImapStatus *status);

/* How many milliseconds a refusal says that we should ask for nothing more:
 * "Suggested Backoff Time: N" (Exchange), [THROTTLED] (Gmail). 0: it does not.
 */
guint imap_status_backoff_ms(const ImapStatus *status);

/* One message's data item that is a body, passed on in pieces while it comes.
 * @uid is 0 when the server has not yet told it in this FETCH (some send UID
 * last); ImapFetch.uid then tells it at the end. */
typedef struct {
    guint32 sequence;
    guint32 uid;
    const char *section; /* "" for BODY[], "1.2" for BODY[1.2] */
    gboolean is_part;    /* of a partial fetch: BODY[]<origin> */
    guint64 origin;      /* likewise; else 0 */
    guint64 size;        /* octets that follow */
} ImapBody;

typedef enum {
    IMAP_BODY_NONE,      /* this FETCH has no body item */
    IMAP_BODY_NIL,       /* BODY[] NIL: the server has no such body */
    IMAP_BODY_DELIVERED, /* the body functions have had it, @body_size octets */
} ImapBodyState;

typedef struct {
    guint32 sequence;
    guint32 uid; /* 0 when absent */
    gboolean has_size;
    guint64 size; /* RFC822.SIZE, which may lie */
    gboolean has_internal_date;
    gint64 internal_date; /* seconds since the epoch, UTC */
    gboolean has_save_date;
    gint64 save_date; /* the same unit */
    gboolean has_modseq;
    guint64 modseq;
    char **flags;             /* NULL when absent */
    char *email_id;           /* NULL when absent */
    guint64 gm_msgid;         /* X-GM-MSGID; 0 when absent */
    GBytes *header;           /* BODY[HEADER…]; NULL when absent */
    gboolean header_is_cut;   /* its middle is missing: it was too long */
    gboolean has_structure;   /* BODYSTRUCTURE was there */
    ImapStructure *structure; /* NULL when it was not, or makes no sense */
    GArray *binary_sizes;     /* of ImapBinarySize; NULL when absent */
    ImapBodyState body;       /* of the last body item in this FETCH */
    guint64 body_size;
} ImapFetch;

/* The identity of the message's content, the same in whatever mailbox it is:
 * "e:" and its EMAILID, or "g:" and its X-GM-MSGID, decimal; NULL if the server
 * has told none. Caller frees. */
char *imap_fetch_identity(const ImapFetch *fetch);

enum {
    IMAP_LIST_NOSELECT = 1 << 0, /* also set for \NonExistent */
    IMAP_LIST_NONEXISTENT = 1 << 1,
    IMAP_LIST_NOINFERIORS = 1 << 2,
    IMAP_LIST_HAS_CHILDREN = 1 << 3,
    IMAP_LIST_HAS_NO_CHILDREN = 1 << 4,
    IMAP_LIST_SUBSCRIBED = 1 << 5,
    IMAP_LIST_ALL = 1 << 6, /* the special uses, RFC 6154 */
    IMAP_LIST_ARCHIVE = 1 << 7,
    IMAP_LIST_DRAFTS = 1 << 8,
    IMAP_LIST_FLAGGED = 1 << 9,
    IMAP_LIST_JUNK = 1 << 10,
    IMAP_LIST_SENT = 1 << 11,
    IMAP_LIST_TRASH = 1 << 12,
    IMAP_LIST_IMPORTANT = 1 << 13, /* RFC 8457 */
};

typedef struct {
    guint attributes; /* IMAP_LIST_… */
    char delimiter;   /* 0 for NIL */
    char *name;       /* wire name, verbatim */
} ImapList;

enum {
    IMAP_MAILBOX_MESSAGES = 1 << 0,
    IMAP_MAILBOX_UIDNEXT = 1 << 1,
    IMAP_MAILBOX_UIDVALIDITY = 1 << 2,
    IMAP_MAILBOX_UNSEEN = 1 << 3,
    IMAP_MAILBOX_HIGHESTMODSEQ = 1 << 4,
    IMAP_MAILBOX_SIZE = 1 << 5,
};

/* The STATUS response. */
typedef struct {
    char *name; /* wire name */
    guint has;  /* IMAP_MAILBOX_… that follow are meaningful */
    guint64 messages;
    guint64 uidnext;
    guint64 uidvalidity;
    guint64 unseen;
    guint64 highestmodseq;
    guint64 size;
} ImapMailboxStatus;

typedef struct {
    char *prefix;   /* wire form */
    char delimiter; /* 0 for NIL */
} ImapNamespace;

typedef struct {
    GArray *personal; /* of ImapNamespace; empty for NIL */
    GArray *other;
    GArray *shared;
} ImapNamespaces;

/* SEARCH and ESEARCH. */
typedef struct {
    char *tag; /* ESEARCH's (TAG "…"); NULL when absent */
    ImapUidSet *uids;
    gboolean has_modseq;
    guint64 modseq;
} ImapSearch;

/* QUOTA (RFC 9208 section 5.1): the limits of one root; others than these are
 * left out. */
typedef struct {
    char *name;
    gboolean has_storage;
    guint64 storage_used; /* units of 1024 octets */
    guint64 storage_limit;
    gboolean has_messages;
    guint64 messages_used;
    guint64 messages_limit;
} ImapQuotaRoot;

/* MYRIGHTS (RFC 4314 section 3.8). */
typedef struct {
    char *mailbox; /* wire name */
    char *letters;
} ImapRights;

typedef struct {
    gboolean earlier; /* VANISHED (EARLIER) */
    ImapUidSet *uids;
} ImapVanished;

typedef enum {
    IMAP_RESPONSE_CONTINUATION, /* text */
    IMAP_RESPONSE_STATUS,       /* status, tagged or not */
    IMAP_RESPONSE_CAPABILITY,   /* words */
    IMAP_RESPONSE_ENABLED,      /* words */
    IMAP_RESPONSE_FLAGS,        /* words */
    IMAP_RESPONSE_EXISTS,       /* number */
    IMAP_RESPONSE_RECENT,       /* number */
    IMAP_RESPONSE_EXPUNGE,      /* number, also for "* n EXPUNGED" */
    IMAP_RESPONSE_FETCH,
    IMAP_RESPONSE_LIST, /* also LSUB */
    IMAP_RESPONSE_MAILBOX_STATUS,
    IMAP_RESPONSE_NAMESPACE,
    IMAP_RESPONSE_SEARCH,
    IMAP_RESPONSE_VANISHED,
    IMAP_RESPONSE_QUOTA,
    IMAP_RESPONSE_MYRIGHTS,
    IMAP_RESPONSE_ID,    /* words: key, value, key, value … */
    IMAP_RESPONSE_OTHER, /* well-formed, but nothing we know */
} ImapResponseType;

typedef struct {
    ImapResponseType type;
    union {
        const char *text; /* of a continuation: what follows "+ " */
        guint32 number;
        char **words; /* NULL-terminated */
        const ImapStatus *status;
        const ImapFetch *fetch;
        const ImapList *list;
        const ImapMailboxStatus *mailbox_status;
        const ImapNamespaces *namespaces;
        const ImapSearch *search;
        const ImapVanished *vanished;
        const ImapQuotaRoot *quota;
        const ImapRights *rights;
    };
} ImapResponse;
