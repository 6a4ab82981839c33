/* life.c - which ranks are there, and why a job ends. */
#include "job.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG = 2 };

/* Words go out so often; a rank's own thread is looked after by itself so often while nothing, and
 * while something is under way; a message that was sent before its sender left is given so long to
 * arrive, and ranks that others end, to leave. */
static const double BEAT_S = 1, IDLE_S = 0.1, BUSY_S = 0.001, GRACE_S = 1, LEAVE_S = 3;

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int link_rank(const job *j, int i)
{
    return j->table.rank == 0 ? i + 1 : 0;
}

void life_fail(job *j, int rank, int code, const char *msg)
{
    if (j->own.failed != NOBODY)
        return;
    j->own.failed = rank;
    (void)hst_fail(&j->own.why, code, "%s", msg);
    j->failed_s = now_s();
    pthread_cond_broadcast(&j->wake);
}

int life_failure(const job *j, int peer, hst_err *err)
{
    const int rank = j->own.failed;
    const double now = now_s();
    if (rank == j->table.rank)
        return hst_fail(err, j->own.why.code, "%s", j->own.why.msg);
    if (rank != NOBODY)
        return hst_fail(err, j->own.why.code, "rank %d on %s: %s", rank, j->host[rank],
                        j->own.why.msg);
    for (int i = 0; i < j->n_links; i++)
        if (link_rank(j, i) == peer && j->link[i].has_left && now - j->link[i].left_s > GRACE_S)
            return hst_fail(err, HST_EPROC, "rank %d on %s has ended too early", peer,
                            j->host[peer]);
    return 0;
}

/* What a link has told. */
static void hear(job *j, int i, double now)
{
    line *l = &j->link[i];
    const word *w = &l->heard;
    l->heard_s = now;
    if (w->has_left && !l->has_left) {
        l->has_left = 1;
        l->left_s = now;
    }
    j->own.is_over |= w->is_over;
    if (w->failed >= 0 && w->failed < j->table.size)
        life_fail(j, w->failed, w->why.code, w->why.msg);
}

static int listen_to(job *j, int i)
{
    return MPI_Irecv(&j->link[i].heard, sizeof(word), MPI_BYTE, link_rank(j, i), TAG, j->life,
                     &j->link[i].in);
}

static int is_news(const word *own, const word *said)
{
    return own->has_left != said->has_left || own->is_over != said->is_over ||
           own->failed != said->failed;
}

static void look_after(job *j, int i, double now)
{
    line *l = &j->link[i];
    int done = 0;
    while (MPI_Test(&l->in, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done &&
           l->in == MPI_REQUEST_NULL) {
        hear(j, i, now);
        if (listen_to(j, i) != MPI_SUCCESS)
            break;
    }
    if (now - l->heard_s > j->patience_s && !l->has_left && !l->is_silent) {
        char text[128];
        snprintf(text, sizeof text, "no sign of life for %g s", j->patience_s);
        life_fail(j, link_rank(j, i), HST_EPROC, text);
        l->is_silent = 1;
    }
    MPI_Test(&l->out, &done, MPI_STATUS_IGNORE);
    if (!done || (!is_news(&j->own, &l->said) && now - l->said_s < BEAT_S))
        return;
    l->said = j->own;
    l->said_s = now;
    MPI_Isend(&l->said, sizeof(word), MPI_BYTE, link_rank(j, i), TAG, j->life, &l->out);
}

/* Lock held, released meanwhile. */
static void sleep_for(job *j, double s)
{
    struct timespec t;
    const double until = now_s() + s;
    t.tv_sec = (time_t)until;
    t.tv_nsec = (long)((until - (double)t.tv_sec) * 1e9);
    pthread_cond_timedwait(&j->wake, &j->lock, &t);
}

/* Looking after links is looking after messages too: MPI moves what it can whenever it is called.
 * So what was begun goes on while the rank's own threads compute. */
static void *live(void *arg)
{
    job *j = arg;
    double then = now_s();
    pthread_mutex_lock(&j->lock);
    while (!j->ends) {
        const double now = now_s();
        if (now - then > BEAT_S) /* it was this rank that stood still */
            for (int i = 0; i < j->n_links; i++)
                j->link[i].heard_s = now;
        then = now;
        for (int i = 0; i < j->n_links; i++)
            look_after(j, i, now);
        sleep_for(j, j->under_way > 0 && now - j->polled_s > BUSY_S ? BUSY_S : IDLE_S);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Signals are for the threads of the program. */
static int start_thread(job *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&j->thread, NULL, live, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

int life_begin(job *j, hst_err *err)
{
    pthread_condattr_t clock;
    j->n_links = j->table.rank == 0 ? j->table.size - 1 : 1;
    j->own.failed = NOBODY;
    j->link = hst_alloc((size_t)j->n_links, sizeof *j->link, err);
    if (!j->link)
        return HST_EMEM;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&j->lock, NULL);
    for (int i = 0; i < j->n_links; i++) {
        j->link[i].said.failed = NOBODY;
        j->link[i].out = MPI_REQUEST_NULL;
        j->link[i].heard_s = now_s();
        if (listen_to(j, i) != MPI_SUCCESS)
            return hst_fail(err, HST_EPROC, "MPI does not receive");
    }
    j->has_thread = !start_thread(j);
    return j->has_thread ? 0 : hst_fail(err, HST_EPROC, "no thread for MPI can be started");
}

int life_leave(job *j, const hst_err *why)
{
    const int own = j->table.rank;
    pthread_mutex_lock(&j->lock);
    if (why && why->code)
        life_fail(j, own, why->code, why->msg);
    j->own.has_left = 1;
    pthread_cond_broadcast(&j->wake);
    /* rank 0 tells of all, and the next of what rank 0 cannot tell */
    const int tells = own == 0 || (own == 1 && j->link[0].is_silent);
    pthread_mutex_unlock(&j->lock);
    return tells;
}

static int all_left(const job *j)
{
    for (int i = 0; i < j->n_links; i++)
        if (!j->link[i].has_left && !j->link[i].is_silent)
            return 0;
    return 1;
}

/* Every link has been told the last word. */
static int all_told(const job *j)
{
    for (int i = 0; i < j->n_links; i++)
        if (!j->link[i].is_silent &&
            (is_news(&j->own, &j->link[i].said) || j->link[i].out != MPI_REQUEST_NULL))
            return 0;
    return 1;
}

int life_wait(job *j)
{
    pthread_mutex_lock(&j->lock);
    const double from = now_s();
    /* a job that fails ends soon, whoever is left */
    while (!j->own.is_over && !(j->table.rank > 0 && j->link[0].is_silent)) {
        const int failed = j->own.failed != NOBODY;
        const double soon = j->table.rank == 0 ? LEAVE_S : 2 * LEAVE_S;
        if (failed && now_s() - (j->failed_s > from ? j->failed_s : from) > soon)
            break;
        if (j->table.rank == 0 && all_left(j))
            j->own.is_over = 1;
        else
            sleep_for(j, BUSY_S);
    }
    j->own.is_over |= j->table.rank == 0;
    pthread_cond_broadcast(&j->wake);
    for (const double until = now_s() + GRACE_S; !all_told(j) && now_s() < until;)
        sleep_for(j, BUSY_S);
    const int fine = j->own.failed == NOBODY;
    pthread_mutex_unlock(&j->lock);
    return fine;
}

void life_end(job *j)
{
    if (j->has_thread) {
        pthread_mutex_lock(&j->lock);
        j->ends = 1;
        pthread_cond_broadcast(&j->wake);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    free(j->link);
}
