/* crew.h - threads that work on one thing together, step by step: one image over all processors.
 *
 *   caller    fn(0) ---- wait ---- fn(0) ---- end         a wait is a few hundred nanoseconds where
 *   thread 1  fn(1) ---- wait ---- fn(1) ---- end         all arrive together: each spins for some
 *   ...                                                   microseconds before it sleeps
 *
 * Its threads are started by the first run and sleep between runs. */
#ifndef HST_BASE_CREW_H
#define HST_BASE_CREW_H
#include "base/err.h"

typedef struct hst_crew hst_crew;

/* Of n threads, the caller of a run among them. */
HST_CHECK hst_crew *hst_crew_new(int n, hst_err *err);
void hst_crew_free(hst_crew *t);      /* NULL: nothing */
int hst_crew_size(const hst_crew *t); /* threads at most; NULL: 1 */

/* Every use of the crew is inside enter and leave, whichever thread it comes from. 1: the caller
 * has it to itself; 0: somebody else is inside, who keeps the processors busy: better work alone.
 */
HST_CHECK int hst_crew_enter(hst_crew *t);
void hst_crew_leave(hst_crew *t);

/* fn(arg, thread, threads) on all threads at once, thread 0 being the caller's; returns when all
 * have returned. threads is less than the size where some could not be started. */
typedef void hst_crew_fn(void *arg, int thread, int threads);
void hst_crew_run(hst_crew *t, hst_crew_fn *fn, void *arg);

/* Inside fn: goes on when every thread has come here. NULL: a crew of one. */
void hst_crew_wait(hst_crew *t);

/* Tells the processor that this thread spins (pause_*.c). */
void hst_pause(void);
#endif
