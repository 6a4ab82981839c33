/* executor.h - the threads of a context, and all the ways in which work is shared out to them.
 *
 *   for        items 0 .. n-1; ends with the last item, whichever threads did them
 *   try        the same for items that can fail
 *   async      the same in the background, beside what its caller does meanwhile
 *   pipeline   items that arrive one by one, delivered in order (pipeline.h)
 *   together   one function on several threads at once, step by step, with a barrier in between
 *
 * An executor of n threads has n-1 of its own, its *helpers*; the n-th is always the caller's, who
 * takes part in what he asks for. Helpers are started by the first work that needs them and sleep
 * when there is none. Nothing here waits for a helper to become free: callers may be many at a time
 * and may call from inside an item, and each gets on by himself with what help there is. So no more
 * threads run than callers and n-1 helpers.
 *
 * What is made does not depend on who made it, so results do not depend on the number of threads.
 *
 * NULL is an executor of one thread. */
#ifndef HST_BASE_EXECUTOR_H
#define HST_BASE_EXECUTOR_H
#include "base/err.h"

typedef struct hst_executor hst_executor;

/* Of `threads` threads, a caller's among them (less than 1: 1); where the system does not start as
 * many, those there are do the work. Errors: HST_EMEM. */
HST_CHECK hst_executor *hst_executor_new(int threads, hst_err *err);
/* Nobody may be inside. In a child of fork() it ends nothing but what the child itself started. */
void hst_executor_free(hst_executor *ex);
/* Most threads that work on one thing: scratch memory is made for so many. */
int hst_executor_threads(const hst_executor *ex);

/* work(arg, i, thread) for i in 0 .. n-1 in no order; returns when all is done. thread is 0 ..
 * threads-1, no two threads inside the loop have the same. Allocates nothing and cannot fail. */
typedef void hst_item_fn(void *arg, size_t i, int thread);
void hst_executor_for(hst_executor *ex, size_t n, hst_item_fn *work, void *arg);

/* The same for work that returns 0 or an error. After an error no later item is begun; returns that
 * of the earliest item that fails, which does not depend on threads. */
typedef int hst_try_fn(void *arg, size_t i, int thread, hst_err *err);
HST_CHECK int hst_executor_try(hst_executor *ex, size_t n, hst_try_fn *work, void *arg,
                               hst_err *err);

/* hst_executor_try in the background: its items are done by helpers that have nothing else to do,
 * and in the end by the caller. One loop at a time. Errors of new: HST_EMEM. */
typedef struct hst_async hst_async;
HST_CHECK hst_async *hst_async_new(hst_executor *ex, hst_err *err);
void hst_async_free(hst_async *a); /* ends its loop first; NULL: nothing */
void hst_async_begin(hst_async *a, size_t n, hst_try_fn *work, void *arg);
/* Does one item that nobody has begun yet, for a caller who would only wait otherwise: 1; 0: there
 * is none. Called by the thread that calls begin and end. */
int hst_async_help(hst_async *a);
/* Does the items that are left, waits for the others and returns what hst_executor_try would. 0
 * when nothing was begun. */
HST_CHECK int hst_async_end(hst_async *a, hst_err *err);

/* fn(arg, thread, threads, barrier) on `threads` threads at once, thread 0 being the caller's;
 * returns when all have returned. threads is `most` or less: the caller's and the helpers that were
 * free; 1 when none was. */
typedef struct hst_barrier hst_barrier;
typedef void hst_together_fn(void *arg, int thread, int threads, hst_barrier *barrier);
void hst_executor_together(hst_executor *ex, int most, hst_together_fn *fn, void *arg);
/* Inside fn: goes on when every thread has come here; a few hundred nanoseconds where all come at
 * the same time. NULL: one thread. */
void hst_barrier_wait(hst_barrier *b);

/* For callers each of whom has work for all processors, as one photo to predict: everybody is
 * between enter and leave while he works. 1: nobody else is inside, and helpers may be free; 0:
 * somebody is, who keeps the processors busy, or there are no helpers: better work alone. */
HST_CHECK int hst_executor_enter(hst_executor *ex);
void hst_executor_leave(hst_executor *ex);

/* Which processors this process may use: a bit each, of the first so many. */
enum { HST_PROCESSOR_BYTES = 128 };
void hst_processor_mask(uint8_t mask[HST_PROCESSOR_BYTES]);

/* Tells the processor that this thread spins (pause_*.c). */
void hst_pause(void);
#endif
