/* messages.c - messages between two ranks: begun, and asked for until they are there. */
#include "job.h"

#include <sched.h>
#include <string.h>
#include <time.h>

enum { TAG = 1, YIELDS = 50, FIRST_NS = 10000, MOST_NS = 500000 };

_Static_assert(sizeof(MPI_Request) <= sizeof(void *), "a request is kept as a pointer");

static MPI_Request request_of(const hst_message *m)
{
    MPI_Request rq;
    memcpy(&rq, &m->handle, sizeof rq);
    return rq;
}

static void keep(hst_message *m, MPI_Request rq)
{
    m->handle = NULL;
    memcpy(&m->handle, &rq, sizeof rq);
}

static int fail(hst_err *err, const job *j, int peer, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(code, text, &n);
    return hst_fail(err, HST_EPROC, "rank %d on %s: %s", peer, j->host[peer], text);
}

/* What MPI says of a message that was to be begun. */
static int begun(job *j, int peer, int code, MPI_Request rq, hst_message *m, hst_err *err)
{
    m->peer = peer;
    keep(m, rq);
    if (code != MPI_SUCCESS)
        return fail(err, j, peer, code);
    if (j->under_way++ == 0)
        pthread_cond_broadcast(&j->wake);
    return 0;
}

/* Synchronous: done when the other side has begun to receive, so that nobody has to keep what was
 * not asked for yet. */
int messages_send(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m,
                  hst_err *err)
{
    job *j = (job *)r;
    MPI_Request rq = MPI_REQUEST_NULL;
    pthread_mutex_lock(&j->lock);
    int rc = life_failure(j, to, err);
    if (rc == 0) {
        const int code = MPI_Issend(data, (int)bytes, MPI_BYTE, to, TAG, j->messages, &rq);
        rc = begun(j, to, code, rq, m, err);
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int messages_receive(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m, hst_err *err)
{
    job *j = (job *)r;
    MPI_Request rq = MPI_REQUEST_NULL;
    pthread_mutex_lock(&j->lock);
    const int code = MPI_Irecv(data, (int)bytes, MPI_BYTE, from, TAG, j->messages, &rq);
    int rc = begun(j, from, code, rq, m, err);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

/* Lock held. A message that will never be: MPI is to touch its memory no more. */
static void forget(hst_message *m)
{
    MPI_Request rq = request_of(m);
    if (rq == MPI_REQUEST_NULL)
        return;
    MPI_Cancel(&rq);
    MPI_Request_free(&rq);
    keep(m, MPI_REQUEST_NULL);
}

/* Lock held. */
static int ask(job *j, hst_message *m, hst_err *err)
{
    MPI_Request rq = request_of(m);
    int done = 0, rc;
    if (rq == MPI_REQUEST_NULL)
        return 1;
    j->polled_s = now_s();
    const int code = MPI_Test(&rq, &done, MPI_STATUS_IGNORE);
    keep(m, rq);
    if (code != MPI_SUCCESS) {
        rc = fail(err, j, m->peer, code);
        life_fail(j, m->peer, HST_EPROC, err ? err->msg : "");
    } else if (done) {
        rc = 1;
    } else {
        rc = life_failure(j, m->peer, err);
    }
    j->under_way -= rc != 0;
    if (rc < 0)
        forget(m);
    return rc;
}

int messages_test(hst_ranks *r, hst_message *m, hst_err *err)
{
    job *j = (job *)r;
    pthread_mutex_lock(&j->lock);
    const int rc = ask(j, m, err);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

/* Others may need the processor, or this rank's own threads: a message that is not there soon is
 * asked for less and less often. */
static void rest(int times)
{
    if (times < YIELDS) {
        sched_yield();
        return;
    }
    const int doubled = (times - YIELDS) / 4;
    const long ns = doubled < 6 ? FIRST_NS << doubled : MOST_NS;
    nanosleep(&(struct timespec){.tv_nsec = ns < MOST_NS ? ns : MOST_NS}, NULL);
}

int messages_finish(hst_ranks *r, hst_message *m, size_t n, hst_err *err)
{
    int rc = 0;
    size_t done = 0;
    for (int times = 0; done < n; times++) {
        const int one = messages_test(r, &m[done], rc ? NULL : err);
        if (one == 0) {
            rest(times);
            continue;
        }
        if (one < 0 && rc == 0)
            rc = one;
        times = 0;
        done++;
    }
    return rc;
}
