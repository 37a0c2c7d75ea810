/* How many files the daemon may have open.
 *
 * Each that a program has open in the cache or the spool, and each connection,
 * is a descriptor; the usual limit of 1,024 is there for programs that call
 * select(). The daemon takes what it may have; the programs it runs get what
 * it was given. */
#pragma once

/* As many as the system lets us. */
void fs_file_limit_raise(void);

/* In a child that is about to become another program: as it was. Does system
 * calls alone. */
void fs_file_limit_restore(void);
