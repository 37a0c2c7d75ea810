/* Certificates made by OpenSSL while a test runs, and PEM files of them. */
#pragma once

#include <glib.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct {
    X509 *certificate;
    EVP_PKEY *key;
} Identity;

#define A_DAY (24 * 60 * 60L)

static inline void
add_extension(X509 *certificate, X509V3_CTX *context, int nid,
              const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);

    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* @names: "DNS:localhost,IP:127.0.0.1", NULL for an authority. @issuer: NULL
 * for a self-signed one. Valid from @begin to @end seconds from now. */
static inline Identity
identity_new(const char *name, const char *names, const Identity *issuer,
             long begin, long end)
{
    static long serial = 1;
    Identity identity = {X509_new(), EVP_EC_gen("P-256")};
    X509 *certificate = identity.certificate;
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509V3_CTX context;

    if (issuer == NULL)
        issuer = &identity;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), begin);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const guchar *)name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         X509_get_subject_name(issuer->certificate));
    X509_set_pubkey(certificate, identity.key);
    X509V3_set_ctx(&context, issuer->certificate, certificate, NULL, NULL, 0);
    if (names != NULL)
        add_extension(certificate, &context, NID_subject_alt_name, names);
    else
        add_extension(certificate, &context, NID_basic_constraints,
                      "critical,CA:TRUE");
    assert_true(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    return identity;
}

static inline void
identity_free(Identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* Writes certificate and key to a new file in @folder. Caller frees. */
static inline char *
identity_write(const Identity *identity, const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(PEM_write_X509(file, identity->certificate));
    assert_true(
        PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    return path;
}

/* "AB:CD…". Caller frees. */
static inline char *
identity_fingerprint(const Identity *identity)
{
    guint8 digest[32];
    GString *text = g_string_new(NULL);

    X509_digest(identity->certificate, EVP_sha256(), digest, NULL);
    for (gsize i = 0; i < sizeof digest; i++)
        g_string_append_printf(text, "%s%02X", i > 0 ? ":" : "", digest[i]);
    return g_string_free(text, FALSE);
}
