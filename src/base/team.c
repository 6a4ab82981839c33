#include "base/team.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct hst_team {
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t started; /* a loop began, or the team ends */
    pthread_cond_t done;    /* the last item of a loop is finished */
    void (*work)(void *arg, size_t i, int thread);
    void *arg;
    size_t n, taken, finished; /* items */
    int ending;
    int numbers;       /* given out, the caller's 0 among them */
    int n_threads;     /* that were started, and the caller's */
    pthread_t *thread; /* [n_threads]; the caller's place is empty */
};

/* Takes and does items until none is left. Lock held on entry and exit, released for the work. */
static void take_items(hst_team *t, int thread)
{
    while (t->taken < t->n) {
        size_t i = t->taken++;
        pthread_mutex_unlock(&t->lock);
        t->work(t->arg, i, thread);
        pthread_mutex_lock(&t->lock);
        if (++t->finished == t->n)
            pthread_cond_signal(&t->done);
    }
}

static void *member(void *arg)
{
    hst_team *t = arg;
    pthread_mutex_lock(&t->lock);
    int thread = t->numbers++;
    while (!t->ending) {
        take_items(t, thread);
        if (!t->ending)
            pthread_cond_wait(&t->started, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

hst_team *hst_team_new(int n_threads, hst_err *err)
{
    int n = n_threads > 1 ? n_threads : 1;
    hst_team *t = hst_alloc(1, sizeof *t, err);
    if (!t)
        return NULL;
    t->thread = hst_alloc((size_t)n, sizeof *t->thread, err);
    if (!t->thread) {
        free(t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->started, NULL);
    pthread_cond_init(&t->done, NULL);
    t->numbers = t->n_threads = 1;
    for (int i = 1; i < n; i++)
        if (pthread_create(&t->thread[t->n_threads], NULL, member, t) == 0)
            t->n_threads++;
    return t;
}

void hst_team_free(hst_team *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->ending = 1;
    pthread_cond_broadcast(&t->started);
    pthread_mutex_unlock(&t->lock);
    for (int i = 1; i < t->n_threads; i++)
        pthread_join(t->thread[i], NULL);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->started);
    pthread_mutex_destroy(&t->lock);
    free(t->thread);
    free(t);
}

int hst_team_threads(const hst_team *t)
{
    return t->n_threads;
}

void hst_team_run(hst_team *t, size_t n, void (*work)(void *arg, size_t i, int thread), void *arg)
{
    pthread_mutex_lock(&t->lock);
    t->work = work;
    t->arg = arg;
    t->n = n;
    t->taken = t->finished = 0;
    if (n > 1)
        pthread_cond_broadcast(&t->started);
    take_items(t, 0);
    while (t->finished < t->n)
        pthread_cond_wait(&t->done, &t->lock);
    t->n = 0;
    pthread_mutex_unlock(&t->lock);
}
