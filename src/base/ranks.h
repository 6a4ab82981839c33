/* ranks.h - the processes of one job, on one machine or on several.
 *
 * All ranks run the same program on the same command line; rank 0 writes what there is to write.
 * What carries bytes from one to another is a table of functions that a plug-in fills (mpi/), found
 * by src/open.c, so that nothing here knows MPI. NULL in its place is a job of one process: every
 * function below then does nothing, and costs nothing.
 *
 * The table has messages between two ranks alone. Broadcast, gathering and the like are made of
 * them here, and sums where they are needed, in an order of our own: that of MPI_Allreduce is left
 * open by its standard, and we owe the same bits for any number of ranks.
 *
 * What is here is called in the same order on every rank, by one thread at a time; the table's own
 * functions by any thread, where two use not the same message. A job ends as a whole: when a rank
 * fails, is killed or falls silent, whatever the others wait for fails too, with its reason. */
#ifndef HST_BASE_RANKS_H
#define HST_BASE_RANKS_H
#include "base/err.h"

/* A message under way; what is in it is the plug-in's. */
typedef struct hst_message {
    void *handle;
    int peer; /* the other rank */
} hst_message;

typedef struct hst_ranks hst_ranks;
struct hst_ranks {
    int rank, size; /* this process: 0 .. size-1 */
    int *threads;   /* [size] of each rank's executor; hst_ranks_meet */
    /* Begin a message of 1 .. 2^30 bytes, which stay as they are until it is finished. Messages
     * from one rank to another arrive in the order in which they were begun; both sides know how
     * long each is. Errors: HST_EPROC, HST_EMEM. */
    int (*send)(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m, hst_err *err);
    int (*receive)(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m, hst_err *err);
    /* Returns when all n are done. Errors: HST_EPROC where a rank is gone or has been silent for
     * too long, and the message names its host. */
    int (*finish)(hst_ranks *r, hst_message *m, size_t n, hst_err *err);
    /* The name of the machine that a rank runs on. */
    const char *(*host)(const hst_ranks *r, int rank);
    /* 1: finished; 0: not yet; or an error as of finish. */
    int (*test)(hst_ranks *r, hst_message *m, hst_err *err);
    /* This rank sends nothing more. why: NULL, or why it failed (code 0: it did not), which from
     * now on is the error of all that other ranks wait for. 1: this rank is to tell the user; 0:
     * another does. */
    int (*leave)(hst_ranks *r, const hst_err *why);
    /* Leaves, waits until all have left, and frees r. */
    void (*close)(hst_ranks *r);
    /* Of this process, filled by what is below: bytes sent, seconds waited for messages. */
    uint64_t sent;
    double waited_s;
    /* What hst_ranks_finish does instead of waiting: a piece of other work, 1; or 0, there is none.
     * Every rank has its own; NULL: nothing. It may not use r. */
    int (*meanwhile)(void *arg);
    void *meanwhile_arg;
};

/* ---- plug-ins ---- */

enum { HST_RANKS_VERSION = 2 }; /* of the table above; raised when it changes */
/* What a plug-in exports as HST_RANKS_ENTRY. rank and size as the environment has them. Errors:
 * HST_EPROC, HST_EUNSUP, HST_EMEM. */
typedef struct hst_ranks_job {
    int version; /* HST_RANKS_VERSION of the caller */
    int rank, size;
    int patience_s; /* a rank without a sign of life for so long is gone */
} hst_ranks_job;
typedef hst_ranks *hst_ranks_open_fn(const hst_ranks_job *job, hst_err *err);
#define HST_RANKS_ENTRY "hst_ranks_plug_in"

#define HST_MPI_PART     "headstart-mpi.so"
#define HST_MPI_IN_BUILD "../mpi"

/* Every rank tells how many threads it has. Errors: HST_EPROC, HST_EMEM. */
HST_CHECK int hst_ranks_meet(hst_ranks *r, int threads, hst_err *err);
void hst_ranks_close(hst_ranks *r); /* NULL is fine */

/* Loads the plug-in that lies at path, and joins the job. NULL: as hst_ranks_open_fn. */
HST_CHECK hst_ranks *hst_ranks_load(const char *path, const hst_ranks_job *job, hst_err *err);
/* HST_EARG, on every rank, where one says another text of up to 255 bytes than rank 0. */
HST_CHECK int hst_ranks_alike(hst_ranks *r, const char *what, const char *text, hst_err *err);
/* How many processors this rank should use, at least 1: ranks of one host that may use the same
 * ones share them. */
HST_CHECK int hst_ranks_threads(hst_ranks *r, int *threads, hst_err *err);

/* ---- for all layers ---- */

int hst_ranks_rank(const hst_ranks *r); /* 0 for NULL */
int hst_ranks_size(const hst_ranks *r); /* 1 for NULL */

/* The table's functions, counted. */
HST_CHECK int hst_ranks_send(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m,
                             hst_err *err);
HST_CHECK int hst_ranks_receive(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m,
                                hst_err *err);
HST_CHECK int hst_ranks_finish(hst_ranks *r, hst_message *m, size_t n, hst_err *err);

/* The bytes of rank 0 on every rank. Errors of this and what follows: HST_EPROC, HST_EMEM. */
HST_CHECK int hst_ranks_broadcast(hst_ranks *r, void *data, size_t bytes, hst_err *err);
/* A sum over what the ranks 0 .. last have, in their order, in two halves with each rank's addition
 * in between: data as the rank before left it, on rank 0 as it is; then on to the next rank, and in
 * the end what `last` made of it on every rank. */
HST_CHECK int hst_ranks_before(hst_ranks *r, int last, void *data, size_t bytes, hst_err *err);
HST_CHECK int hst_ranks_behind(hst_ranks *r, int last, void *data, size_t bytes, hst_err *err);
/* Every rank fills its range of data, offset[rank] .. offset[rank + 1] in bytes, and then has those
 * of all. offset[size + 1] is the same on every rank. */
HST_CHECK int hst_ranks_share(hst_ranks *r, void *data, const size_t *offset, hst_err *err);
/* Returns when every rank has come here. */
HST_CHECK int hst_ranks_barrier(hst_ranks *r, hst_err *err);
/* rc and *err of this rank (0: fine) become those of the lowest rank that is not fine, with its
 * host in front, on every rank: a job that cannot go on ends everywhere for one reason. */
HST_CHECK int hst_ranks_agree(hst_ranks *r, int rc, hst_err *err);
/* HST_EARG, on every rank, where one has other bytes than rank 0; what: what they are, for the
 * message ("version of headstart", "list of photos"). */
HST_CHECK int hst_ranks_same(hst_ranks *r, const char *what, const void *data, size_t bytes,
                             hst_err *err);
#endif
