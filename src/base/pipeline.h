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
#include "base/err.h"

typedef struct hst_pipeline {
    void *arg;
    /* Fills slot with the next item: 1, or 0 at the end, or a negative error that ends the run. */
    int (*next)(void *arg, size_t slot, hst_err *err);
    /* thread: 0 .. n_threads-1. A negative error ends the run. */
    int (*work)(void *arg, size_t slot, int thread, hst_err *err);
    /* NULL, or takes the finished item; a negative error ends the run. */
    int (*deliver)(void *arg, size_t slot, hst_err *err);
    int n_threads;  /* 1: everything on the caller's thread */
    size_t n_slots; /* at least n_threads */
} hst_pipeline;

/* Runs until next says 0 and everything is delivered, or until the first error (of the earliest
 * item that failed); returns it. When threads cannot be started it goes on with those it has. */
HST_CHECK int hst_pipeline_run(const hst_pipeline *p, hst_err *err);

/* work(arg, i, thread) for i in 0 .. n-1 on n_threads threads, in no order. */
HST_CHECK int hst_parallel(int n_threads, size_t n,
                           int (*work)(void *arg, size_t i, int thread, hst_err *err), void *arg,
                           hst_err *err);
#endif
