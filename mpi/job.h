/* job.h - what the plug-in knows of the processes that MPI has started.
 *
 * Messages go over one communicator (messages.c), signs of life over another (life.c): a star, in
 * which every rank tells rank 0 each second that it is there, and rank 0 every other. What ends a
 * job travels the same way, so that it comes to ranks that wait for something else.
 *
 * MPI is asked for MPI_THREAD_SERIALIZED alone: whoever calls it holds the lock, and nothing is
 * called that waits. */
#ifndef HST_MPI_JOB_H
#define HST_MPI_JOB_H
#include "base/ranks.h"

#include <mpi.h>
#include <pthread.h>

enum { HOST_BYTES = 128, NOBODY = -1 };

/* What one rank tells another of itself and of the job: all there is to know, every time. */
typedef struct word {
    int has_left; /* the sender sends no more messages */
    int is_over;  /* of rank 0: all have left */
    int failed;   /* the rank for which the job ends, or NOBODY */
    hst_err why;
} word;

/* To one other rank. */
typedef struct line {
    MPI_Request in, out;
    word heard, said; /* where messages come in, and what the last one out was */
    double heard_s, said_s;
    int has_left, is_silent;
    double left_s;
} line;

typedef struct job {
    hst_ranks table; /* first */
    MPI_Comm messages, life;
    int owns_mpi; /* MPI was not in use before */
    char (*host)[HOST_BYTES];
    double patience_s;
    pthread_mutex_t lock; /* all below, and every call of MPI */
    pthread_cond_t wake;
    pthread_t thread;
    int has_thread, ends; /* the thread is to end */
    line *link;           /* [n_links]: of rank 0 to all others, of the others to rank 0 */
    int n_links;
    word own;        /* what is to be told */
    int under_way;   /* messages */
    double polled_s; /* when somebody last asked for them */
    double failed_s; /* when own.failed was learned */
} job;

double now_s(void);
/* The rank at the other end of a link. */
int link_rank(const job *j, int i);

/* Begins and ends what tells of life. Errors: HST_EPROC, HST_EMEM. */
HST_CHECK int life_begin(job *j, hst_err *err);
void life_end(job *j);
/* With the lock held: the job ends for `rank`, unless it does so already. */
void life_fail(job *j, int rank, int code, const char *msg);
/* With the lock held: why a message with that peer will never be, in *err, or 0. */
HST_CHECK int life_failure(const job *j, int peer, hst_err *err);
/* Leaves as hst_ranks does, and waits until all have. 1: all did, and nobody failed. */
int life_leave(job *j, const hst_err *why);
int life_wait(job *j);

int messages_send(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m,
                  hst_err *err);
int messages_receive(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m,
                     hst_err *err);
int messages_test(hst_ranks *r, hst_message *m, hst_err *err);
int messages_finish(hst_ranks *r, hst_message *m, size_t n, hst_err *err);
#endif
