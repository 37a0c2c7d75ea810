/* The question at the terminal.
 *
 * It goes to /dev/tty, not to the standard streams, which may be redirected.
 * Echo is off meanwhile, so signals that would end or stop us are caught: the
 * terminal is put right, the signal takes its course, and if we live on (after
 * Ctrl-Z and fg) the question is asked again. They are blocked but for the wait
 * itself, so that none slips in between the look at the flag and the read. */
#include "fs/options/terminal-prompt.h"

#include "fs/kernel/errno.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGHUP, SIGQUIT};

static volatile sig_atomic_t caught;

typedef struct {
    struct sigaction actions[G_N_ELEMENTS(signals)];
    sigset_t mask;
    struct termios modes;
} Saved;

typedef enum {
    LINE_COMPLETE,
    LINE_INTERRUPTED,
    LINE_FAILED,
} LineResult;

static void
note_signal(int number)
{
    caught = number;
}

static void
write_text(int terminal, const char *text)
{
    gsize left = strlen(text);

    while (left > 0) {
        ssize_t written = write(terminal, text, left);

        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            text += written;
            left -= (gsize)written;
        }
    }
}

static gboolean
hide_input(int terminal, Saved *saved)
{
    struct sigaction note = {.sa_handler = note_signal};
    struct termios silent;
    sigset_t block;

    sigemptyset(&note.sa_mask);
    sigemptyset(&block);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaddset(&block, signals[i]);

    if (tcgetattr(terminal, &saved->modes) != 0)
        return FALSE;
    caught = 0;
    sigprocmask(SIG_BLOCK, &block, &saved->mask);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], NULL, &saved->actions[i]);
        if (saved->actions[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &note, NULL);
    }

    silent = saved->modes;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    tcsetattr(terminal, TCSAFLUSH, &silent);
    return TRUE;
}

/* Leaves the terminal alone if it belongs to others by now: a shell that took
 * it back has set it as it likes. */
static void
show_input(int terminal, const Saved *saved)
{
    if (tcgetpgrp(terminal) == getpgrp())
        tcsetattr(terminal, TCSAFLUSH, &saved->modes);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &saved->actions[i], NULL);
    if (caught != 0)
        raise(caught); /* still blocked: strikes with the next line */
    sigprocmask(SIG_SETMASK, &saved->mask, NULL);
}

/* One line, at most @size octets of it; *length counts the rest, too, which is
 * read and dropped so that it does not end up in the shell. */
static LineResult
read_line(int terminal, const sigset_t *mask, char *buffer, gsize size,
          gsize *length)
{
    char octet = '\0';

    for (*length = 0;; (*length)++) {
        struct pollfd readable = {.fd = terminal, .events = POLLIN};
        ssize_t count;

        if (ppoll(&readable, 1, NULL, mask) < 0)
            return errno == EINTR ? LINE_INTERRUPTED : LINE_FAILED;
        count = read(terminal, &octet, 1);
        if (count < 0)
            return LINE_FAILED;
        if (count == 0 || octet == '\n')
            break;
        if (*length < size)
            buffer[*length] = octet;
    }
    OPENSSL_cleanse(&octet, sizeof octet);
    return LINE_COMPLETE;
}

static gboolean
check_secret(const char *secret, gsize length, GError **error)
{
    if (length == 0) {
        g_set_error_literal(error, FS_ERROR, FS_ERROR_CREDENTIALS,
                            "no password was entered");
        return FALSE;
    }
    if (length > FS_TERMINAL_SECRET_BYTES) {
        g_set_error(error, FS_ERROR, FS_ERROR_CREDENTIALS,
                    "the password is longer than %d octets",
                    FS_TERMINAL_SECRET_BYTES);
        return FALSE;
    }
    if (memchr(secret, '\0', length) != NULL) {
        g_set_error_literal(error, FS_ERROR, FS_ERROR_CREDENTIALS,
                            "the password holds a NUL octet");
        return FALSE;
    }
    return TRUE;
}

static gboolean
ask(int terminal, const char *prompt, char *secret, GError **error)
{
    LineResult result = LINE_FAILED;
    gsize length = 0;

    do {
        Saved saved;

        if (!hide_input(terminal, &saved))
            break;
        write_text(terminal, prompt);
        result = read_line(terminal, &saved.mask, secret,
                           FS_TERMINAL_SECRET_BYTES, &length);
        write_text(terminal, "\n");
        show_input(terminal, &saved);
    } while (result == LINE_INTERRUPTED);

    if (result == LINE_FAILED) {
        g_set_error_literal(error, FS_ERROR, FS_ERROR_CREDENTIALS,
                            "cannot read a password from the terminal; use "
                            "password_file=FILE or password_command=COMMAND");
        return FALSE;
    }
    secret[MIN(length, FS_TERMINAL_SECRET_BYTES)] = '\0';
    return check_secret(secret, length, error);
}

gboolean
fs_terminal_prompt(const char *prompt, char *secret, GError **error)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    gboolean answered;

    secret[0] = '\0';
    if (terminal < 0) {
        g_set_error_literal(error, FS_ERROR, FS_ERROR_CREDENTIALS,
                            "there is no terminal to ask for the password at; "
                            "use password_file=FILE or "
                            "password_command=COMMAND");
        return FALSE;
    }
    answered = ask(terminal, prompt, secret, error);
    close(terminal);
    return answered;
}
