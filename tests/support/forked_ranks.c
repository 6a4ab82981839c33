#include "forked_ranks.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 8 };

/* A message that is not all there yet, in the order of its kind and peer. */
typedef struct pending {
    char *at;
    size_t left;
    struct pending *next;
    int dead; /* 1: the other side is gone */
} pending;

typedef struct forked {
    hst_ranks table;      /* first */
    pthread_mutex_t lock; /* what follows */
    int fd[MOST];
    pending *out[MOST], *in[MOST];
} forked;

static int begin(pending **list, int peer, char *at, size_t bytes, hst_message *m)
{
    pending *p = calloc(1, sizeof *p);
    if (!p)
        return HST_EMEM;
    *p = (pending){.at = at, .left = bytes};
    while (*list)
        list = &(*list)->next;
    *list = p;
    *m = (hst_message){.handle = p, .peer = peer};
    return 0;
}

static int send_to(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m,
                   hst_err *err)
{
    forked *f = (forked *)r;
    (void)err;
    pthread_mutex_lock(&f->lock);
    const int rc = begin(&f->out[to], to, (char *)(uintptr_t)data, bytes, m);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int receive_from(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m,
                        hst_err *err)
{
    forked *f = (forked *)r;
    (void)err;
    pthread_mutex_lock(&f->lock);
    const int rc = begin(&f->in[from], from, data, bytes, m);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* Moves what can be moved of the first message of a list. */
static void move(pending **list, int fd, int out)
{
    pending *p = *list;
    const ssize_t n = out ? send(fd, p->at, p->left, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : recv(fd, p->at, p->left, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        for (; p; p = p->next)
            p->dead = 1;
        *list = NULL;
        return;
    }
    p->at += n;
    p->left -= (size_t)n;
    if (p->left == 0)
        *list = p->next;
}

static void move_all(forked *f)
{
    struct pollfd fds[MOST];
    for (int i = 0; i < f->table.size; i++) {
        const int events = (f->out[i] ? POLLOUT : 0) | (f->in[i] ? POLLIN : 0);
        fds[i] = (struct pollfd){.fd = events ? f->fd[i] : -1, .events = (short)events};
    }
    poll(fds, (nfds_t)f->table.size, 1); /* others may have begun what is not in fds */
    for (int i = 0; i < f->table.size; i++) {
        if (f->out[i] && fds[i].revents & (POLLOUT | POLLERR | POLLHUP))
            move(&f->out[i], f->fd[i], 1);
        if (f->in[i] && fds[i].revents & (POLLIN | POLLERR | POLLHUP))
            move(&f->in[i], f->fd[i], 0);
    }
}

static int test(hst_ranks *r, hst_message *m, hst_err *err)
{
    forked *f = (forked *)r;
    pending *p = m->handle;
    int rc = 0;
    pthread_mutex_lock(&f->lock);
    if (p->left > 0 && !p->dead)
        move_all(f);
    if (p->left == 0)
        rc = 1;
    else if (p->dead)
        rc = hst_fail(err, HST_EPROC, "%s is gone", r->host(r, m->peer));
    pthread_mutex_unlock(&f->lock);
    if (rc)
        free(p);
    return rc;
}

static int finish(hst_ranks *r, hst_message *m, size_t n, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        int one;
        while ((one = test(r, &m[i], rc ? NULL : err)) == 0)
            sched_yield();
        rc = rc ? rc : one < 0 ? one : 0;
    }
    return rc;
}

static const char *host(const hst_ranks *r, int rank)
{
    static const char *const names[MOST] = {"host0", "host1", "host2", "host3",
                                            "host4", "host5", "host6", "host7"};
    (void)r;
    return names[rank];
}

/* The others find that it is gone. */
static int leave(hst_ranks *r, const hst_err *why)
{
    for (int i = 0; why && i < r->size; i++)
        if (i != r->rank)
            shutdown(((forked *)r)->fd[i], SHUT_RDWR);
    return r->rank == 0;
}

static void close_all(hst_ranks *r)
{
    for (int i = 0; i < r->size; i++)
        if (i != r->rank)
            close(((forked *)r)->fd[i]);
}

static int be(int rank, int size, int fd[MOST][MOST], int (*work)(hst_ranks *, void *), void *arg)
{
    forked f = {.table = {.rank = rank,
                          .size = size,
                          .send = send_to,
                          .receive = receive_from,
                          .finish = finish,
                          .host = host,
                          .test = test,
                          .leave = leave,
                          .close = close_all},
                .lock = PTHREAD_MUTEX_INITIALIZER};
    for (int a = 0; a < size; a++)
        for (int b = 0; b < size; b++)
            if (a == rank)
                f.fd[b] = fd[a][b];
            else if (a != b)
                close(fd[a][b]);
    const int rc = work(&f.table, arg);
    close_all(&f.table);
    return rc;
}

int forked_ranks(int size, int (*work)(hst_ranks *r, void *arg), void *arg)
{
    int fd[MOST][MOST] = {{0}}, failed = 0;
    pid_t child[MOST];
    if (size > MOST)
        return -1;
    for (int a = 0; a < size; a++)
        for (int b = a + 1; b < size; b++) {
            int pair[2];
            if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
                return -1;
            fd[a][b] = pair[0];
            fd[b][a] = pair[1];
        }
    fflush(NULL);
    for (int rank = 0; rank < size; rank++) {
        child[rank] = fork();
        if (child[rank] == 0)
            _exit(be(rank, size, fd, work, arg) != 0);
    }
    for (int a = 0; a < size; a++)
        for (int b = 0; b < size; b++)
            if (a != b)
                close(fd[a][b]);
    for (int rank = 0; rank < size; rank++) {
        int status = 1;
        failed += child[rank] < 0 || waitpid(child[rank], &status, 0) < 0 || status != 0;
    }
    return failed;
}
