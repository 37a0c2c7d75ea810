/* Whether the parts of a message add up to it, and its fields are plain. */
#include "fs/views/parts/structure-proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- fields ---- */

static void
fields_of_everyday_mail_are_plain(void **state)
{
    static const char *const headers[] = {
        "",
        "\r\n",
        "Subject: a; b = \"c\r\n\r\n",
        "Content-Type: text/plain\r\n",
        "content-type: TEXT/Plain; Charset=\"utf-8\"\r\n\r\n",
        "Content-Type: text/plain;\r\n charset=utf-8;\r\n\tformat=flowed;\r\n",
        "Content-Type: multipart/mixed; boundary=----=_Part_1.2_3\r\n",
        "Content-Type: multipart/mixed; boundary=\"a b'()+_,-./:=?\"\r\n",
        "Content-Type: application/pdf; name=\"my \\\"report\\\".pdf\"\r\n"
        "Content-Disposition: attachment; filename*=utf-8''%c3%bc.pdf;\r\n"
        " size=10\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n",
        "Content-Disposition: inline\r\n",
        "X-Content-Type: a; b\r\n",
        "Content-Type: image/png; name=\"\xc3\xbc.png\"\r\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(headers); i++)
        if (!fs_mime_fields_are_plain(headers[i], strlen(headers[i])))
            fail_msg("%s", headers[i]);
}

static void
fields_that_are_read_in_two_ways_are_not_plain(void **state)
{
    static const char *const headers[] = {
        "Content-Type: te0\r\n",
        "Content-Type:\r\n",
        "Content-Type: ;;;=\r\n",
        "Content-Type: text/\r\n",
        "Content-Type: text/plain; ched; boundary=\"=_b\"\r\n",
        "Content-Type: multipart/mixnt-Type: multipart/mixed; boundary=b\r\n",
        "Content-Type: multipart/mixed; boundar multipart/mixed; a=b\r\n",
        "Content-Type: text/plain (a comment); charset=utf-8\r\n",
        "Content-Type: text/plain; charset=\"utf-8\r\n",
        "Content-Type: text/plain\r\nContent-Type: text/html\r\n",
        "Content-Disposition: attachment; filename=my report.pdf\r\n",
        "Content-Disposition: attachment; filename=\r\n",
        "Content-Disposition: attachment; filename=\"a.pdf\" b\r\n",
        "Content-Disposition: attachment; filename=\"a.pdf\\\r\n",
        "Content-Transfer-Encoding: base64 or so\r\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(headers); i++)
        if (fs_mime_fields_are_plain(headers[i], strlen(headers[i])))
            fail_msg("%s", headers[i]);
}

static void
fields_of_multiparts_say_so(void **state)
{
    static const struct {
        const char *header;
        gboolean multipart;
    } cases[] = {
        {"", FALSE},
        {"Content-Type: text/plain\r\n\r\n", FALSE},
        {"Subject: Content-Type: multipart/mixed\r\n\r\n", FALSE},
        {"X: y\r\ncontent-TYPE:Multipart/Mixed; boundary=b\r\n", TRUE},
        {"Content-Type:\r\n multipart/mixed; boundary=b\r\n\r\n", TRUE},
        {"Content-Type:", FALSE},
        {"Content-Type: multipart", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        if (fs_mime_fields_say_multipart(
                cases[i].header, strlen(cases[i].header)) != cases[i].multipart)
            fail_msg("%s", cases[i].header);
}

/* ---- accounts ---- */

static void
add(ImapStructure *structure, ImapPartKind kind, guint parent,
    const char *section, guint64 octets, const char *boundary)
{
    ImapPart *part = g_new0(ImapPart, 1);

    part->kind = kind;
    part->parent = parent;
    part->section = g_strdup(section);
    part->type = g_strdup("a/b");
    part->encoding = g_strdup("");
    part->disposition = g_strdup("");
    part->octets = octets;
    part->type_parameters = g_array_new(FALSE, FALSE, sizeof(ImapParameter));
    part->disposition_parameters =
        g_array_new(FALSE, FALSE, sizeof(ImapParameter));
    if (boundary != NULL) {
        ImapParameter parameter = {g_strdup("boundary"), g_strdup(boundary)};

        g_array_append_val(part->type_parameters, parameter);
    }
    g_ptr_array_add(structure->parts, part);
}

static void
free_part(gpointer data)
{
    ImapPart *part = data;

    for (guint i = 0; i < part->type_parameters->len; i++) {
        g_free(g_array_index(part->type_parameters, ImapParameter, i).name);
        g_free(g_array_index(part->type_parameters, ImapParameter, i).value);
    }
    g_array_unref(part->type_parameters);
    g_array_unref(part->disposition_parameters);
    g_free(part->section);
    g_free(part->type);
    g_free(part->encoding);
    g_free(part->disposition);
    g_free(part);
}

#define FIELDS "Content-Type: text/plain\r\n\r\n"
#define LONG 2000
/* Of the message in the message. */
#define INNER "Subject: inner\r\n\r\nText"

/* A message of a text, an alternative of two, and a message; @change is put at
 * the end of the line that begins with @where, or nowhere. */
static GString *
message_of(const char *where, const char *change)
{
    GString *text = g_string_new("Content-Type: multipart/mixed; boundary=b"
                                 "\r\n\r\nPreamble.\r\n--b\r\n" FIELDS);
    char *at;

    for (guint i = 0; i < LONG; i++)
        g_string_append_c(text, 'x');
    g_string_append(text, "\r\n--b\r\n"
                          "Content-Type: multipart/alternative; boundary=in"
                          "\r\n\r\n--in\r\n" FIELDS "one\r\n--in\r\n" FIELDS
                          "three\r\n--in--\r\n\r\n--b\r\n"
                          "Content-Type: message/rfc822\r\n\r\n" INNER
                          "\r\n--b--\r\nEpilogue.\r\n");
    if (where != NULL) {
        at = strstr(text->str, where);
        assert_non_null(at);
        g_string_insert(text, at - text->str + (gssize)strlen(where), change);
    }
    return text;
}

/* Whether the proof holds of @text, by what a server would send of it. */
static gboolean
holds(GString *text)
{
    const char *body = strstr(text->str, "\r\n\r\n") + 4;
    g_autoptr(GBytes) header =
        g_bytes_new(text->str, (gsize)(body - text->str));
    ImapStructure structure = {g_ptr_array_new_with_free_func(free_part)};
    g_autoptr(FsStructureProof) proof = NULL;
    static const char *const fields[] = {
        FIELDS, "Content-Type: multipart/alternative; boundary=in\r\n\r\n",
        FIELDS, FIELDS, "Content-Type: message/rfc822\r\n\r\n"};
    gboolean result;

    add(&structure, IMAP_PART_MULTIPART, 0, "", 0, "b");
    add(&structure, IMAP_PART_LEAF, 0, "1", LONG, NULL);
    add(&structure, IMAP_PART_MULTIPART, 0, "2", 0, "in");
    add(&structure, IMAP_PART_LEAF, 2, "2.1", 3, NULL);
    add(&structure, IMAP_PART_LEAF, 2, "2.2", 5, NULL);
    add(&structure, IMAP_PART_MESSAGE, 0, "3", strlen(INNER), NULL);
    add(&structure, IMAP_PART_LEAF, 5, "3.1", 4, NULL);
    proof = fs_structure_proof_new(&structure, header, text->len);
    assert_non_null(proof);
    assert_int_equal(fs_structure_proof_n_pieces(proof),
                     G_N_ELEMENTS(fields) + 2);
    for (guint i = 0; i < fs_structure_proof_n_pieces(proof); i++) {
        const char *section;
        guint64 offset;
        guint32 length;

        assert_false(fs_structure_proof_is_complete(proof));
        fs_structure_proof_piece(proof, i, &section, &offset, &length);
        if (section != NULL)
            fs_structure_proof_set(proof, i, fields[i], strlen(fields[i]));
        else
            fs_structure_proof_set(proof, i, text->str + offset,
                                   MIN(length, text->len - offset));
    }
    assert_true(fs_structure_proof_is_complete(proof));
    result = fs_structure_proof_holds(proof);
    g_ptr_array_unref(structure.parts);
    g_string_free(text, TRUE);
    return result;
}

static void
message_that_adds_up_is_beyond_doubt(void **state)
{
    assert_true(holds(message_of(NULL, NULL)));
    assert_true(holds(message_of("Preamble.", " And more.")));
    assert_true(holds(message_of("Epilogue.", " And more.")));
    assert_true(holds(message_of("\r\n--b--", "  ")));
    /* Programs leave an empty line there. */
    assert_true(holds(message_of("boundary=in\r\n\r\n", "\r\n")));
}

static void
message_that_does_not_is_doubtful(void **state)
{
    assert_false(holds(message_of("\r\n--b--", " x")));
    assert_false(holds(message_of("\r\n--b", "Z^(lqR/z+@Hh=r+u`R")));
    assert_false(holds(message_of("xx", "more than that")));
    assert_false(holds(message_of("three", " and more than that")));
    assert_false(holds(message_of("\r\n--in--", " and more than that")));
    assert_false(holds(message_of("mixed; boundary=b", " c")));
}

static void
single_parts_need_no_proof(void **state)
{
    ImapStructure structure = {g_ptr_array_new_with_free_func(free_part)};
    g_autoptr(GBytes) header = g_bytes_new_static("\r\n", 2);

    assert_null(fs_structure_proof_new(&structure, header, 5000));
    add(&structure, IMAP_PART_LEAF, 0, "1", 4998, NULL);
    assert_null(fs_structure_proof_new(&structure, header, 5000));
    g_ptr_array_unref(structure.parts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_everyday_mail_are_plain),
        cmocka_unit_test(fields_that_are_read_in_two_ways_are_not_plain),
        cmocka_unit_test(fields_of_multiparts_say_so),
        cmocka_unit_test(message_that_adds_up_is_beyond_doubt),
        cmocka_unit_test(message_that_does_not_is_doubtful),
        cmocka_unit_test(single_parts_need_no_proof),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
