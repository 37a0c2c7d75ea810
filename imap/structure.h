/* The structure of a message (RFC 9051 section 7.5.2, BODYSTRUCTURE): which
 * parts it has, and what the server says of each.
 *
 * Servers differ in what they make of broken messages, and some are wrong about
 * whole ones: what is understood is taken, what is missing is left out. What
 * makes no sense, or is beyond a bound, is no structure. */
#pragma once

#include "imap/response.h"
#include "imap/value.h"

#include <glib.h>

/* More parts, or deeper ones, are no structure. */
#define IMAP_STRUCTURE_MAX_PARTS 10000u
#define IMAP_STRUCTURE_MAX_DEPTH 120u
/* Octets of a word, or of the value of a parameter: longer ones are cut; and
 * how many parameters of one part are kept. */
#define IMAP_STRUCTURE_MAX_WORD 200u
#define IMAP_STRUCTURE_MAX_VALUE 4000u
#define IMAP_STRUCTURE_MAX_PARAMETERS 64u

typedef enum {
    IMAP_PART_LEAF,
    IMAP_PART_MULTIPART, /* its parts follow it */
    IMAP_PART_MESSAGE,   /* the one part that follows is the message's body */
} ImapPartKind;

/* A parameter of a type or disposition, as the server writes it: a value may be
 * one of several pieces, and encoded (RFC 2231, RFC 2047). */
typedef struct {
    char *name;
    char *value;
} ImapParameter;

typedef struct {
    ImapPartKind kind;
    guint parent;            /* its index; that of the first is 0 */
    char *section;           /* "1.2"; "" for the message's own multipart */
    char *type;              /* "text/plain", in lower case */
    char *encoding;          /* "base64", likewise; "" if there is none */
    char *disposition;       /* "attachment", likewise; "" */
    GArray *type_parameters; /* of ImapParameter */
    GArray *disposition_parameters; /* likewise */
    guint64 octets;                 /* as it is sent, encoded */
} ImapPart;

struct ImapStructure {
    GPtrArray *parts; /* of ImapPart, each before its own parts */
};

/* The structure in @value; NULL if it is none. Caller frees. */
ImapStructure *imap_structure_read(const ImapValues *values,
                                   const ImapValue *value);
void imap_structure_free(ImapStructure *structure); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapStructure, imap_structure_free)
