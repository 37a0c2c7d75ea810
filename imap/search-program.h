/* What UID SEARCH is to find (RFC 9051 section 6.4.4), put together from keys:
 * their strings are sent as strings, whatever is in them. */
#pragma once

#include "imap/command.h"

typedef struct ImapSearchProgram ImapSearchProgram;

/* Of no keys. */
ImapSearchProgram *imap_search_program_new(void);
void imap_search_program_free(ImapSearchProgram *program); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapSearchProgram, imap_search_program_free)

/* A key that is protocol text of ours: "UNSEEN", "LARGER 1000". */
void imap_search_program_add_key(ImapSearchProgram *program, const char *key);
/* The key @key, protocol text of ours, with a string from anywhere: "FROM". */
void imap_search_program_add_string(ImapSearchProgram *program, const char *key,
                                    const char *value);
/* The keys of @other (takes ownership), which all must hold. */
void imap_search_program_add_all(ImapSearchProgram *program,
                                 ImapSearchProgram *other);

/* One key: @program (takes ownership; of some keys) does not hold; one of the
 * two does. */
ImapSearchProgram *imap_search_program_not(ImapSearchProgram *program);
ImapSearchProgram *imap_search_program_or(ImapSearchProgram *one,
                                          ImapSearchProgram *other);

/* IMAP SEARCH keys that somebody has written, as one key. Nothing but atoms of
 * printable ASCII, quoted strings and parentheses can be in it, no literal:
 * what is no search is left to the server to refuse. IMAP_ERROR_ARGUMENT for
 * other text. */
ImapSearchProgram *imap_search_program_parse(const char *text, GError **error);

guint imap_search_program_n_keys(const ImapSearchProgram *program);

/* Only a server that announces @capability (static) understands it. */
void imap_search_program_require(ImapSearchProgram *program,
                                 const char *capability);
/* NULL: any server does. */
const char *imap_search_program_required(const ImapSearchProgram *program);

/* Whether a string of it is not ASCII, so that its charset has to be told. */
gboolean imap_search_program_needs_charset(const ImapSearchProgram *program);

/* All of it, ALL if it has no keys, behind a space. */
void imap_search_program_append(const ImapSearchProgram *program,
                                ImapCommand *command);
