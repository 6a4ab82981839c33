/* mpi.c - the plug-in: joins the job that MPI has started this process for. */
#include "job.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *host_of(const hst_ranks *r, int rank)
{
    return ((const job *)r)->host[rank];
}

static int leave(hst_ranks *r, const hst_err *why)
{
    return life_leave((job *)r, why);
}

static void free_job(job *j)
{
    life_end(j);
    free(j->host);
    free(j);
}

/* MPI_Finalize waits for all ranks and all messages: it is for jobs that end well. Otherwise the
 * launcher ends what is left. */
static void close_job(hst_ranks *r)
{
    job *j = (job *)r;
    (void)life_leave(j, NULL);
    const int fine = life_wait(j);
    line *const l = j->link;
    const int n = j->n_links;
    j->link = NULL;
    life_end(j);
    for (int i = 0; fine && i < n; i++) {
        MPI_Cancel(&l[i].in);
        MPI_Request_free(&l[i].in);
    }
    if (fine) {
        MPI_Comm_free(&j->messages);
        MPI_Comm_free(&j->life);
    }
    if (fine && j->owns_mpi)
        MPI_Finalize();
    if (fine)
        free(l);
    free(j->host);
    free(j);
}

static int begin_mpi(job *j, hst_err *err)
{
    int is_on = 0, level = 0;
    MPI_Initialized(&is_on);
    const int code = is_on ? MPI_Query_thread(&level)
                           : MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    if (code != MPI_SUCCESS)
        return hst_fail(err, HST_EPROC, "MPI cannot be started");
    j->owns_mpi = !is_on;
    if (level < MPI_THREAD_SERIALIZED)
        return hst_fail(err, HST_EUNSUP,
                        "this MPI cannot be used by a program of several threads "
                        "(MPI_THREAD_SERIALIZED)");
    return 0;
}

/* Those of another MPI's launcher find themselves alone. */
static int check_place(const job *j, const hst_ranks_job *expected, hst_err *err)
{
    char name[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n = 0;
    if (j->table.rank == expected->rank && j->table.size == expected->size)
        return 0;
    MPI_Get_library_version(name, &n);
    name[strcspn(name, "\n,")] = 0;
    return hst_fail(err, HST_EPROC,
                    "this is process %d of %d by what started it, and %d of %d by %s, which "
                    "headstart was built with: start it with that one's mpirun",
                    expected->rank, expected->size, j->table.rank, j->table.size, name);
}

static int name_hosts(job *j, hst_err *err)
{
    char own[MPI_MAX_PROCESSOR_NAME + 1] = "", cut[HOST_BYTES] = "";
    int n = 0;
    j->host = hst_alloc((size_t)j->table.size, HOST_BYTES, err);
    if (!j->host)
        return HST_EMEM;
    MPI_Get_processor_name(own, &n);
    memcpy(cut, own, HOST_BYTES - 1);
    if (MPI_Allgather(cut, HOST_BYTES, MPI_BYTE, j->host, HOST_BYTES, MPI_BYTE, j->messages) !=
        MPI_SUCCESS)
        return hst_fail(err, HST_EPROC, "MPI does not bring what the hosts are called");
    return 0;
}

/* Communicators of our own: a program that has MPI for itself notices nothing. */
static int open_job(job *j, const hst_ranks_job *expected, hst_err *err)
{
    int rc = begin_mpi(j, err);
    if (rc)
        return rc;
    if (MPI_Comm_dup(MPI_COMM_WORLD, &j->messages) || MPI_Comm_dup(MPI_COMM_WORLD, &j->life))
        return hst_fail(err, HST_EPROC, "MPI has no communicator");
    MPI_Comm_set_errhandler(j->messages, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(j->life, MPI_ERRORS_RETURN);
    MPI_Comm_rank(j->messages, &j->table.rank);
    MPI_Comm_size(j->messages, &j->table.size);
    rc = check_place(j, expected, err);
    rc = rc ? rc : name_hosts(j, err);
    return rc ? rc : life_begin(j, err);
}

HST_API hst_ranks *hst_ranks_plug_in(const hst_ranks_job *expected, hst_err *err);
hst_ranks *hst_ranks_plug_in(const hst_ranks_job *expected, hst_err *err)
{
    if (expected->version != HST_RANKS_VERSION) {
        hst_fail(err, HST_EPROC, "its interface is number %d, that of headstart %d",
                 HST_RANKS_VERSION, expected->version);
        return NULL;
    }
    job *j = hst_alloc(1, sizeof *j, err);
    if (!j)
        return NULL;
    j->table = (hst_ranks){.send = messages_send,
                           .receive = messages_receive,
                           .finish = messages_finish,
                           .host = host_of,
                           .test = messages_test,
                           .leave = leave,
                           .close = close_job};
    j->patience_s = expected->patience_s;
    if (open_job(j, expected, err) == 0)
        return &j->table;
    free_job(j);
    return NULL;
}
