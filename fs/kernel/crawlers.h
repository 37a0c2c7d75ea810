/* Processes that go through all files on their own: they make thumbnails, or an
 * index. They see what is listed, and read what is cached; nothing is fetched
 * for them, so that nobody waits behind them, and a mailbox is not copied
 * because somebody has looked into it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* What is a crawler unless the user says otherwise: see the next. */
extern const char fs_crawlers_default[];
/* In place of names: nobody is. */
#define FS_CRAWLERS_ALLOW "allow"

typedef struct FsCrawlers FsCrawlers;

/* @names: of processes (as ps -o comm shows them, which is cut after 15
 * octets), with "+" between them; "*" and "?" stand for any characters. */
FsCrawlers *fs_crawlers_new(const char *names);
void fs_crawlers_free(FsCrawlers *crawlers); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsCrawlers, fs_crawlers_free)

/* Whether @thread is one of a crawler's. Of a thread that has just asked, it is
 * known, unless it runs another program since. */
gboolean fs_crawlers_has(FsCrawlers *crawlers, pid_t thread);
/* It is, and is being refused something: the log says so, once of a process. */
void fs_crawlers_note(FsCrawlers *crawlers, pid_t thread);
