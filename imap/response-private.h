/* How the parser makes responses: one ImapReading, used again for each.
 *
 * Strings of the response point into the text that the parser collected, NUL
 * put in place behind them, so that most responses cost no allocation. */
#pragma once

#include "imap/response.h"
#include "imap/value.h"

#include <glib.h>

typedef struct ImapReading ImapReading;

/* What we know about a response by its name. */
typedef struct {
    const char *name;
    gboolean numbered; /* "* 5 EXISTS" */
    gboolean values;   /* read into values; else left as text */
    gboolean items;    /* the values are the items of a FETCH */
    ImapResponseType type;
    gboolean (*read)(ImapReading *reading, GError **error);
} ImapResponseKind;

struct ImapReading {
    /* Set by the parser. */
    guint32 number; /* of "* 5 EXISTS" */
    ImapValues values;
    const char *rest; /* without values: what follows the name, its length */
    gsize rest_length;
    /* A body that came as a quoted string. */
    void (*quoted_body)(const ImapBody *body, const char *data,
                        gpointer user_data);
    gpointer user_data;

    /* The result, and what it points to. */
    ImapResponse response;
    ImapStatus status;
    ImapFetch fetch;
    ImapList list;
    ImapMailboxStatus mailbox_status;
    ImapNamespaces namespaces;
    ImapSearch search;
    ImapVanished vanished;
    ImapQuotaRoot quota;
    ImapRights rights;
    GPtrArray *words; /* borrowed strings */
    GString *text;
    GString *section;

    /* How far the items of a FETCH have been searched for its UID. */
    guint uid_searched; /* index of the next item */
    guint32 uid;
    gboolean header_is_cut; /* that which comes */
};

void imap_reading_init(ImapReading *reading);
void imap_reading_finish(ImapReading *reading);
/* Drops what the response owns, and prepares for one of @kind; NULL: none. */
void imap_reading_reset(ImapReading *reading, const ImapResponseKind *kind);

/* Sets @error, IMAP_ERROR_PROTOCOL, and returns FALSE. */
gboolean imap_reading_fail(GError **error, const char *why);

/* NULL if the name, in any case, is none we know. */
const ImapResponseKind *imap_response_kind(const char *name, gsize length);

/* The words of a list, or of what is left of one, as response.words. */
gboolean imap_reading_words(ImapReading *reading, ImapCursor *cursor,
                            GError **error);

/* What the first words of a response tell. */
typedef struct {
    gboolean is_data; /* untagged, neither status nor continuation */
    const ImapResponseKind *kind; /* of data; NULL: a name we do not know */
    gsize end;                    /* of data: the octet behind the name */
} ImapHead;

/* imap/head.c: reads the first line, or the part of it before a literal, of
 * @length octets; the octet after it is overwritten. A status or continuation,
 * which is no more than that, is then in @reading's response; for data,
 * @reading is prepared. */
gboolean imap_head_read(ImapReading *reading, char *text, gsize length,
                        ImapHead *head, GError **error);

/* imap/status-line.c: "[CODE] text" of @length octets, after the condition.
 * The octet after it is overwritten. @tag NULL: untagged. */
gboolean imap_condition_parse(const char *word, gsize length,
                              ImapCondition *condition);
gboolean imap_status_read(ImapReading *reading, char *tag,
                          ImapCondition condition, char *text, gsize length,
                          GError **error);

/* imap/search.c */
gboolean imap_search_read(ImapReading *reading, GError **error);
gboolean imap_esearch_read(ImapReading *reading, GError **error);
gboolean imap_vanished_read(ImapReading *reading, GError **error);

/* imap/access.c */
gboolean imap_quota_read(ImapReading *reading, GError **error);
gboolean imap_rights_read(ImapReading *reading, GError **error);

/* imap/fetch.c */
gboolean imap_fetch_read(ImapReading *reading, GError **error);
/* Whether the value that comes next is a body to be passed on; fills in all of
 * @body but its size. */
gboolean imap_fetch_awaits_body(ImapReading *reading, ImapBody *body);
/* Whether it is a header, which may be cut. */
gboolean imap_fetch_awaits_header(const ImapReading *reading);
