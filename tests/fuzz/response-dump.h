/* What a parser says, as text: the oracle's format of the unit tests, and what
 * the fuzz target compares between two ways of cutting the same octets. */
#pragma once

#include "imap/parser.h"
#include "imap/structure.h"

#include <string.h>

typedef struct {
    GString *out;
    GString *body; /* of the one that is under way */
    gboolean in_body;
} ResponseDump;

static inline void
dump_octets(GString *out, const char *data, gsize length)
{
    g_string_append_c(out, '"');
    for (gsize i = 0; i < length; i++) {
        guint8 octet = (guint8)data[i];

        if (octet == '\r')
            g_string_append(out, "\\r");
        else if (octet == '\n')
            g_string_append(out, "\\n");
        else if (octet < 0x20 || octet == 0x7f)
            g_string_append_printf(out, "\\x%02x", octet);
        else
            g_string_append_c(out, (char)octet);
    }
    g_string_append_c(out, '"');
}

static inline void
dump_string(GString *out, const char *name, const char *text)
{
    g_string_append_printf(out, " %s=", name);
    if (text == NULL)
        g_string_append(out, "NULL");
    else
        dump_octets(out, text, strlen(text));
}

static inline void
dump_delimiter(GString *out, char delimiter)
{
    g_string_append(out, " delimiter=");
    if (delimiter == 0)
        g_string_append(out, "NIL");
    else
        dump_octets(out, &delimiter, 1);
}

static inline void
dump_parameters(GString *out, const GArray *parameters)
{
    for (guint i = 0; i < parameters->len; i++) {
        const ImapParameter *parameter =
            &g_array_index(parameters, ImapParameter, i);

        dump_string(out, parameter->name, parameter->value);
    }
}

static inline void
dump_structure(GString *out, const ImapStructure *structure)
{
    static const char *const kinds[] = {"leaf", "multipart", "message"};

    if (structure == NULL) {
        g_string_append(out, " structure=NULL");
        return;
    }
    for (guint i = 0; i < structure->parts->len; i++) {
        const ImapPart *part = g_ptr_array_index(structure->parts, i);

        g_string_append_printf(
            out, " [%s %s in %u: %s %s %s %" G_GUINT64_FORMAT, part->section,
            kinds[part->kind], part->parent, part->type, part->encoding,
            part->disposition, part->octets);
        dump_parameters(out, part->type_parameters);
        dump_parameters(out, part->disposition_parameters);
        g_string_append_c(out, ']');
    }
}

static inline void
dump_words(GString *out, char **words)
{
    g_string_append(out, " (");
    for (guint i = 0; words[i] != NULL; i++) {
        if (i > 0)
            g_string_append_c(out, ' ');
        dump_octets(out, words[i], strlen(words[i]));
    }
    g_string_append_c(out, ')');
}

static inline void
dump_uids(GString *out, const ImapUidSet *uids)
{
    char *text = imap_uid_set_to_string(uids);

    g_string_append_printf(out, " {%s}", text);
    g_free(text);
}

static inline void
dump_status(GString *out, const ImapStatus *status)
{
    static const char *const names[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};

    g_string_append(out, names[status->condition]);
    if (status->tag != NULL)
        dump_string(out, "tag", status->tag);
    for (guint i = 0; i < status->codes->len; i++) {
        const ImapResponseCode *code =
            &g_array_index(status->codes, ImapResponseCode, i);

        g_string_append_printf(out, " [%s", code->name);
        dump_string(out, "args", code->arguments);
        g_string_append_c(out, ']');
    }
    dump_string(out, "text", status->text);
}

static inline void
dump_fetch(GString *out, const ImapFetch *fetch)
{
    static const char *const bodies[] = {"none", "nil", "delivered"};

    g_string_append_printf(out, "FETCH %u uid=%u", fetch->sequence, fetch->uid);
    if (fetch->has_size)
        g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, fetch->size);
    if (fetch->has_internal_date)
        g_string_append_printf(out, " date=%" G_GINT64_FORMAT,
                               fetch->internal_date);
    if (fetch->has_save_date)
        g_string_append_printf(out, " saved=%" G_GINT64_FORMAT,
                               fetch->save_date);
    if (fetch->has_modseq)
        g_string_append_printf(out, " modseq=%" G_GUINT64_FORMAT,
                               fetch->modseq);
    if (fetch->flags != NULL) {
        g_string_append(out, " flags=");
        dump_words(out, fetch->flags);
    }
    if (fetch->email_id != NULL)
        dump_string(out, "email_id", fetch->email_id);
    if (fetch->gm_msgid != 0)
        g_string_append_printf(out, " gm_msgid=%" G_GUINT64_FORMAT,
                               fetch->gm_msgid);
    if (fetch->header != NULL) {
        gsize length;
        const char *data = g_bytes_get_data(fetch->header, &length);

        g_string_append(out, " header=");
        dump_octets(out, data, length);
    }
    for (guint i = 0;
         fetch->binary_sizes != NULL && i < fetch->binary_sizes->len; i++) {
        const ImapBinarySize *size =
            &g_array_index(fetch->binary_sizes, ImapBinarySize, i);

        dump_string(out, "binary_size", size->section);
        g_string_append_printf(out, ":%" G_GUINT64_FORMAT, size->size);
    }
    if (fetch->has_structure)
        dump_structure(out, fetch->structure);
    if (fetch->body != IMAP_BODY_NONE)
        g_string_append_printf(out, " body=%s:%" G_GUINT64_FORMAT,
                               bodies[fetch->body], fetch->body_size);
}

static inline void
dump_mailbox_status(GString *out, const ImapMailboxStatus *status)
{
    const guint64 numbers[] = {status->messages,      status->uidnext,
                               status->uidvalidity,   status->unseen,
                               status->highestmodseq, status->size};
    static const char *const names[] = {"messages",      "uidnext",
                                        "uidvalidity",   "unseen",
                                        "highestmodseq", "size"};

    g_string_append(out, "STATUS");
    dump_string(out, "name", status->name);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        if (status->has & (1u << i))
            g_string_append_printf(out, " %s=%" G_GUINT64_FORMAT, names[i],
                                   numbers[i]);
    }
}

static inline void
dump_namespace_class(GString *out, const GArray *namespaces)
{
    g_string_append(out, " (");
    for (guint i = 0; i < namespaces->len; i++) {
        const ImapNamespace *one = &g_array_index(namespaces, ImapNamespace, i);

        dump_string(out, "prefix", one->prefix);
        dump_delimiter(out, one->delimiter);
    }
    g_string_append(out, " )");
}

static inline void
dump_search(GString *out, const ImapSearch *search)
{
    g_string_append(out, "SEARCH");
    if (search->tag != NULL)
        dump_string(out, "tag", search->tag);
    dump_uids(out, search->uids);
    if (search->has_modseq)
        g_string_append_printf(out, " modseq=%" G_GUINT64_FORMAT,
                               search->modseq);
}

static inline void
dump_quota(GString *out, const ImapQuotaRoot *quota)
{
    g_string_append(out, "QUOTA");
    dump_string(out, "name", quota->name);
    if (quota->has_storage)
        g_string_append_printf(
            out, " storage=%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
            quota->storage_used, quota->storage_limit);
    if (quota->has_messages)
        g_string_append_printf(
            out, " messages=%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
            quota->messages_used, quota->messages_limit);
}

static inline void
dump_response(GString *out, const ImapResponse *response)
{
    static const char *const names[] = {
        [IMAP_RESPONSE_CAPABILITY] = "CAPABILITY",
        [IMAP_RESPONSE_ENABLED] = "ENABLED",
        [IMAP_RESPONSE_FLAGS] = "FLAGS",
        [IMAP_RESPONSE_EXISTS] = "EXISTS",
        [IMAP_RESPONSE_RECENT] = "RECENT",
        [IMAP_RESPONSE_EXPUNGE] = "EXPUNGE",
        [IMAP_RESPONSE_ID] = "ID",
        [IMAP_RESPONSE_OTHER] = "OTHER",
    };

    switch (response->type) {
    case IMAP_RESPONSE_CONTINUATION:
        g_string_append(out, "CONTINUATION");
        dump_string(out, "text", response->text);
        break;
    case IMAP_RESPONSE_STATUS:
        dump_status(out, response->status);
        break;
    case IMAP_RESPONSE_CAPABILITY:
    case IMAP_RESPONSE_ENABLED:
    case IMAP_RESPONSE_FLAGS:
    case IMAP_RESPONSE_ID:
        g_string_append(out, names[response->type]);
        dump_words(out, response->words);
        break;
    case IMAP_RESPONSE_EXISTS:
    case IMAP_RESPONSE_RECENT:
    case IMAP_RESPONSE_EXPUNGE:
        g_string_append_printf(out, "%s %u", names[response->type],
                               response->number);
        break;
    case IMAP_RESPONSE_FETCH:
        dump_fetch(out, response->fetch);
        break;
    case IMAP_RESPONSE_LIST:
        g_string_append_printf(out, "LIST %#x", response->list->attributes);
        dump_delimiter(out, response->list->delimiter);
        dump_string(out, "name", response->list->name);
        break;
    case IMAP_RESPONSE_MAILBOX_STATUS:
        dump_mailbox_status(out, response->mailbox_status);
        break;
    case IMAP_RESPONSE_NAMESPACE:
        g_string_append(out, "NAMESPACE");
        dump_namespace_class(out, response->namespaces->personal);
        dump_namespace_class(out, response->namespaces->other);
        dump_namespace_class(out, response->namespaces->shared);
        break;
    case IMAP_RESPONSE_SEARCH:
        dump_search(out, response->search);
        break;
    case IMAP_RESPONSE_VANISHED:
        g_string_append_printf(out, "VANISHED earlier=%d",
                               response->vanished->earlier);
        dump_uids(out, response->vanished->uids);
        break;
    case IMAP_RESPONSE_QUOTA:
        dump_quota(out, response->quota);
        break;
    case IMAP_RESPONSE_MYRIGHTS:
        g_string_append(out, "MYRIGHTS");
        dump_string(out, "mailbox", response->rights->mailbox);
        dump_string(out, "letters", response->rights->letters);
        break;
    case IMAP_RESPONSE_OTHER:
        g_string_append(out, names[response->type]);
        break;
    }
    g_string_append_c(out, '\n');
}

static inline void
dump_on_response(const ImapResponse *response, gpointer user_data)
{
    ResponseDump *dump = user_data;

    g_assert_false(dump->in_body);
    dump_response(dump->out, response);
}

static inline void
dump_on_body_begin(const ImapBody *body, gpointer user_data)
{
    ResponseDump *dump = user_data;

    g_assert_false(dump->in_body);
    dump->in_body = TRUE;
    g_string_append_printf(dump->out, "BODY %u uid=%u section=", body->sequence,
                           body->uid);
    dump_octets(dump->out, body->section, strlen(body->section));
    g_string_append_printf(
        dump->out, " %s=%" G_GUINT64_FORMAT " size=%" G_GUINT64_FORMAT,
        body->is_part ? "part" : "origin", body->origin, body->size);
}

static inline void
dump_on_body_data(const guint8 *data, gsize length, gpointer user_data)
{
    ResponseDump *dump = user_data;

    g_assert_true(dump->in_body && length > 0);
    g_string_append_len(dump->body, (const char *)data, (gssize)length);
}

static inline void
dump_end_body(ResponseDump *dump, const char *how)
{
    g_string_append_c(dump->out, ' ');
    dump_octets(dump->out, dump->body->str, dump->body->len);
    g_string_append(dump->out, how);
    g_string_truncate(dump->body, 0);
    dump->in_body = FALSE;
}

static inline void
dump_on_body_end(gpointer user_data)
{
    ResponseDump *dump = user_data;

    g_assert_true(dump->in_body);
    dump_end_body(dump, "\n");
}

static const ImapParserHandler dump_handler = {
    dump_on_response,
    dump_on_body_begin,
    dump_on_body_data,
    dump_on_body_end,
};

/* Feeds @data in pieces that @next_cut gives the lengths of (0: all the rest),
 * and tells all that came of it. Caller frees. */
static inline char *
dump_parse(const guint8 *data, gsize length,
           gsize (*next_cut)(gpointer cut_data), gpointer cut_data)
{
    ResponseDump dump = {g_string_new(NULL), g_string_new(NULL), FALSE};
    ImapParser *parser = imap_parser_new(&dump_handler, &dump);
    GError *error = NULL;
    gsize at = 0;

    while (at < length && error == NULL) {
        gsize cut = next_cut(cut_data);
        gsize piece = cut == 0 ? length - at : MIN(cut, length - at);
        /* A copy of its own, so that a read beyond it is seen. */
        guint8 *copy = g_memdup2(data + at, piece);

        imap_parser_feed(parser, copy, piece, &error);
        g_free(copy);
        at += piece;
    }
    if (dump.in_body)
        dump_end_body(&dump, " CUT\n");
    if (error != NULL)
        g_string_append_printf(dump.out, "ERROR %s\n", error->message);
    else if (imap_parser_is_inside(parser))
        g_string_append(dump.out, "INSIDE\n");
    g_clear_error(&error);
    imap_parser_free(parser);
    g_string_free(dump.body, TRUE);
    return g_string_free(dump.out, FALSE);
}
