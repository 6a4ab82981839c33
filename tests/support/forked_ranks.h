/* forked_ranks.h - a job of several ranks without MPI: forked processes with sockets in between. */
#ifndef HST_TESTS_FORKED_RANKS_H
#define HST_TESTS_FORKED_RANKS_H
#include "base/ranks.h"

/* Runs work(ranks, arg) in `size` child processes and returns when all have ended: how many of them
 * returned something other than 0. A rank whose peer is gone fails with HST_EPROC. */
int forked_ranks(int size, int (*work)(hst_ranks *r, void *arg), void *arg);
#endif
