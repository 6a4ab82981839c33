/* executor_parts.h - what the files of the executor share. */
#ifndef HST_BASE_EXECUTOR_PARTS_H
#define HST_BASE_EXECUTOR_PARTS_H
#include "base/executor.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HST_SPINS = 2000 }; /* 30 to 100 microseconds: longer than the steps of a network differ */

/* A loop lives at its caller's and is listed while items are left to be taken. Written with the
 * executor's lock held. */
typedef struct hst_loop {
    hst_item_fn *work;
    void *arg;
    size_t n, taken;
    atomic_size_t finished; /* n: nobody touches the loop any more */
    int is_slept_for;       /* its caller sleeps until then */
    struct hst_loop *next;
} hst_loop;

/* One thread of the executor. Guarded by the lock, but for `called`. */
typedef struct hst_helper {
    _Alignas(HST_ALIGN) atomic_int called; /* 1: there may be something to do; it spins on this */
    int number;                            /* 1 .. threads-1: its `thread` in loops */
    int busy, asleep;
    hst_barrier *claim; /* the run together that it shall take part in; NULL: none */
    int place;          /* its `thread` there */
    hst_executor *executor;
    pthread_t thread;
    pthread_cond_t wake;
} hst_helper;

struct hst_executor {
    int threads;
    atomic_int process; /* whose helpers these are; 0: a child of that is making it its own */
    atomic_int users;   /* between enter and leave */
    pthread_mutex_t lock;
    pthread_cond_t moved; /* what a caller, or a thread at a barrier, sleeps for may have come */
    hst_loop *open;       /* the last to begin first; behind them those in the background */
    int ending, n_helpers;
    hst_helper *helper; /* [threads - 1] */
};

/* Takes the lock, in a child of fork() after making the executor its own, and starts helpers until
 * `threads` can work, as far as the system lets it. */
void hst_executor_lock(hst_executor *ex, int threads);

/* Lock held on entry and exit: a loop begins; its caller does what is left, and waits. */
void hst_loop_begin(hst_executor *ex, hst_loop *l, int background);
void hst_loop_end(hst_executor *ex, hst_loop *l);
/* The caller does one item: 1; 0 where all are taken. Lock not held. */
int hst_loop_help(hst_executor *ex, hst_loop *l);

/* The helper has something to do. Lock held. */
void hst_helper_call(hst_helper *h);
/* A helper does its part of a run together. Lock held on entry and exit. */
void hst_barrier_serve(hst_executor *ex, hst_helper *h);
#endif
