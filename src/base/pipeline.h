/* pipeline.h - an ordered parallel loop over items that arrive one by one.
 *
 *   next    ->  slot 0 .. n_slots-1  ->  work (any thread)  ->  deliver
 *   in order                              in parallel            in order
 *
 * Memory is n_slots items, however many pass through. Which thread works on an item changes nothing
 * in what is delivered, so results do not depend on the number of threads. next and deliver are
 * each called by one thread at a time. */
#ifndef HST_BASE_PIPELINE_H
#define HST_BASE_PIPELINE_H
#include "base/executor.h"

typedef struct hst_pipeline_run hst_pipeline_run;

typedef struct hst_pipeline {
    void *arg;
    /* Fills slot with the next item: 1, or 0 at the end, or a negative error that ends the run. */
    int (*next)(void *arg, size_t slot, hst_err *err);
    /* thread: as in a loop. A negative error ends the run. */
    int (*work)(void *arg, size_t slot, int thread, hst_err *err);
    /* NULL, or takes the finished item; a negative error ends the run. */
    int (*deliver)(void *arg, size_t slot, hst_err *err);
    size_t n_slots; /* at least the executor's threads */
    /* NULL, or stands in for deliver while what comes next is in other hands (hst_pipeline_idle); a
     * negative error ends the run. */
    int (*idle)(void *arg, hst_err *err);
    /* NULL, or what takes part on a thread of its own, beside the executor's, and has any number of
     * items at a time. It returns when there are no more and all that it took was given, or when
     * the run has failed. */
    void (*beside)(void *beside_arg, hst_pipeline_run *run);
    void *beside_arg;
} hst_pipeline;

/* For `beside`: the next item, whose slot is item % n_slots. 1: taken; 0: none now, as slots are
 * full; -1: there are no more. */
int hst_pipeline_take(hst_pipeline_run *run, uint64_t *item);
/* It is finished. */
void hst_pipeline_give(hst_pipeline_run *run, uint64_t item);
/* Calls p->idle unless something is being delivered. */
void hst_pipeline_idle(hst_pipeline_run *run);
/* Ends the run with that error, if it has none yet. */
void hst_pipeline_fail(hst_pipeline_run *run, const hst_err *err);
int hst_pipeline_has_failed(hst_pipeline_run *run);

/* Runs until next says 0 and everything is delivered, or until the first error (of the earliest
 * item that failed); returns it. */
HST_CHECK int hst_executor_pipeline(hst_executor *ex, const hst_pipeline *p, hst_err *err);
#endif
