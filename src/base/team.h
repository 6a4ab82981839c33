/* team.h - threads that wait for loops: for many short parallel loops in a row, where starting
 * threads for each would cost more than the work. hst_team_run allocates nothing and cannot fail. A
 * loop ends with its last item, whichever threads did the items: unlike a step of a run together, it
 * does not wait for a thread to which the system gave no processor. */
#ifndef HST_BASE_TEAM_H
#define HST_BASE_TEAM_H
#include "base/err.h"

typedef struct hst_team hst_team;

/* The caller's thread is one of n_threads; where others cannot be started, those there are do the
 * work. Errors: HST_EMEM. */
HST_CHECK hst_team *hst_team_new(int n_threads, hst_err *err);
void hst_team_free(hst_team *t);
int hst_team_threads(const hst_team *t);

/* work(arg, i, thread) for i in 0 .. n-1 in no order, thread in 0 .. threads-1; returns when all is
 * done. One caller at a time. */
void hst_team_run(hst_team *t, size_t n, void (*work)(void *arg, size_t i, int thread), void *arg);
#endif
