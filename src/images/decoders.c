/* decoders.c - the pool of decoding processes. */
#include "images/decoders.h"

#include "base/context.h"
#include "base/mem.h"
#include "images/decoder_process.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A photo may take this long by the clock, which only one whose process sleeps reaches: processor
 * time is limited where it is spent, in the process (decode_protocol.h). */
enum { WALL_LIMIT_S = 300 };

/* Processes are made for photos of so many pixels: the usual, a large camera's, all that are read.
 * Those of the last kind are not kept: their memory is. */
static const uint64_t sizes[] = {16u << 20, 64u << 20, HST_IMAGE_MAX_PIXELS};
enum { N_SIZES = sizeof sizes / sizeof *sizes };
/* What a kept process may have in its two memories. */
#define KEPT_BYTES ((uint64_t)192 << 20)

struct hst_decoders {
    char *program;
    int limit_s;
    atomic_int
        process; /* whose decoders these are; 0: a child of that is making the pool its own */
    pthread_mutex_t lock;
    hst_decoder *all; /* those lent to threads too */
    char *unusable;   /* why the program cannot be used, found out once; NULL: not known */
    int has_greeted;
    hst_decode_hello hello; /* of the last one that was started */
};

hst_decoders *hst_decoders_new(const char *program, hst_err *err)
{
    hst_decoders *d = hst_alloc(1, sizeof *d, err);
    if (!d)
        return NULL;
    d->program = hst_strdup(program, err);
    if (!d->program) {
        free(d);
        return NULL;
    }
    d->limit_s = WALL_LIMIT_S;
    pthread_mutex_init(&d->lock, NULL);
    atomic_store(&d->process, (int)getpid());
    return d;
}

void hst_decoders_free(hst_decoders *d)
{
    if (!d)
        return;
    const int ours = atomic_load(&d->process) == (int)getpid();
    for (hst_decoder *p = d->all, *next; p; p = next) {
        next = p->next;
        if (ours)
            hst_decoder_end(p);
        else
            hst_decoder_forget(p);
    }
    if (ours)
        pthread_mutex_destroy(&d->lock);
    free(d->unusable);
    free(d->program);
    free(d);
}

/* Takes the lock. A child of fork() has none of its parent's decoders, and its copy of the lock is
 * as the parent held it at that moment: it begins anew. */
static void lock(hst_decoders *d)
{
    const int mine = (int)getpid();
    int was = atomic_load(&d->process);
    while (was != mine) {
        if (was != 0 && atomic_compare_exchange_strong(&d->process, &was, 0)) {
            pthread_mutex_init(&d->lock, NULL);
            for (hst_decoder *p = d->all, *next; p; p = next) {
                next = p->next;
                hst_decoder_forget(p);
            }
            d->all = NULL;
            atomic_store(&d->process, mine);
            break;
        }
        sched_yield(); /* another thread of the child is at it */
        was = atomic_load(&d->process);
    }
    pthread_mutex_lock(&d->lock);
}

static void unlock(hst_decoders *d)
{
    pthread_mutex_unlock(&d->lock);
}

static void unlist(hst_decoders *d, hst_decoder *p)
{
    lock(d);
    hst_decoder **at = &d->all;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    unlock(d);
}

/* Returns what hst_decoder_end does. */
static int end(hst_decoders *d, hst_decoder *p)
{
    unlist(d, p);
    return hst_decoder_end(p);
}

static int start(hst_decoders *d, uint64_t max_pixels, hst_decoder **out, hst_err *err)
{
    hst_decoder *p;
    hst_err why = {0};
    int lasting = 0, rc = hst_decoder_start(d->program, max_pixels, &p, &lasting, &why);
    lock(d);
    if (rc && lasting && !d->unusable)
        d->unusable = hst_strdup(why.msg, NULL); /* without memory it is found out again */
    if (rc == 0) {
        p->busy = 1;
        p->next = d->all;
        d->all = p;
        d->hello = p->hello;
        d->has_greeted = 1;
        *out = p;
    }
    unlock(d);
    return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
}

/* Lends one that waits, of at least max_pixels, or starts one. */
static int borrow(hst_decoders *d, uint64_t max_pixels, hst_decoder **out, hst_err *err)
{
    hst_decoder *p;
    int rc = 0;
    lock(d);
    if (d->unusable)
        rc = hst_fail(err, HST_EPROC, "%s", d->unusable);
    for (p = d->all; p && (p->busy || p->max_pixels < max_pixels);)
        p = p->next;
    if (p)
        p->busy = 1;
    unlock(d);
    *out = p;
    return rc || p ? rc : start(d, max_pixels, out, err);
}

static void give_back(hst_decoders *d, hst_decoder *p, int ends)
{
    if (ends || p->touched > KEPT_BYTES) {
        end(d, p);
        return;
    }
    lock(d);
    p->busy = 0;
    unlock(d);
}

/* HST_EIMAGE for one that ended without an answer, by `how` (hst_decoder_end). */
static int died(int how, hst_err *err)
{
    if (how == SIGXCPU)
        return hst_fail(err, HST_EIMAGE, "reading it took more than %d seconds of processor time",
                        HST_DECODE_LIMIT_S - HST_DECODE_RETIRE_S);
    if (how > 0)
        return hst_fail(err, HST_EIMAGE, "reading it was ended by signal %d", how);
    return hst_fail(err, HST_EIMAGE, "the decoding helper ended while it was read");
}

/* Of a signal that a photo cannot cause: somebody ended the process. */
static int is_from_outside(int how)
{
    return how == SIGKILL || how == SIGTERM || how == SIGHUP || how == SIGINT;
}

typedef struct
try {
    enum hst_format format;
    const hst_encoded *in;
    uint64_t max_pixels; /* to be borrowed */
    int again;           /* another try has a chance */
}
try;

static int decode_once(hst_decoders *d, try *t, hst_image *out, int *orientation, hst_err *err)
{
    hst_decode_answer a = {0};
    hst_decoder *p;
    int rc = borrow(d, t->max_pixels, &p, err), how;
    if (rc)
        return rc == HST_EMEM ? rc
                              : hst_fail(err, HST_EIMAGE, "a picture in format %s: %s",
                                         hst_format_name(t->format), err->msg);
    const enum hst_decoder_result r =
        hst_decoder_ask(p, t->format, t->in, d->limit_s, out, &a, err);
    switch (r) {
    case HST_DECODER_DONE:
        *orientation = (int)a.orientation;
        give_back(d, p, a.ends);
        return 0;
    case HST_DECODER_REFUSED:
        give_back(d, p, a.ends);
        return HST_EIMAGE;
    case HST_DECODER_NO_MEMORY:
        give_back(d, p, 1);
        return HST_EMEM;
    case HST_DECODER_TOO_LARGE:
        for (int i = 0; i < N_SIZES && t->max_pixels < (uint64_t)a.w * a.h; i++)
            t->max_pixels = sizes[i];
        give_back(d, p, 1);
        t->again = 1;
        return hst_fail(err, HST_EIMAGE, "too large for the decoding helper");
    case HST_DECODER_LATE:
        end(d, p);
        return hst_fail(err, HST_EIMAGE, "reading it took more than %d seconds", d->limit_s);
    case HST_DECODER_LIED:
        end(d, p);
        return hst_fail(err, HST_EIMAGE, "the decoding helper gave an answer that cannot be");
    case HST_DECODER_DIED:
        break;
    }
    how = end(d, p);
    t->again = is_from_outside(how);
    return died(how, err);
}

int hst_decoders_decode(hst_decoders *d, enum hst_format format, const hst_encoded *in,
                        hst_image *out, int *orientation, hst_err *err)
{
    enum { TRIES = 4 }; /* too small, too small, ended from outside, and one that counts */
    try t = {format, in, sizes[0], 0};
    int rc = HST_EIMAGE;
    hst_err own = {0};
    for (int i = 0; i < TRIES && (i == 0 || t.again); i++) {
        t.again = 0;
        rc = decode_once(d, &t, out, orientation, &own);
    }
    return rc ? hst_fail(err, rc, "%s", own.msg) : 0;
}

int hst_decoders_ask(hst_decoders *d, enum hst_format format, char sandbox[128], char library[64],
                     hst_err *err)
{
    hst_decoder *p = NULL;
    lock(d);
    const int known = d->has_greeted;
    unlock(d);
    const int rc = known ? 0 : borrow(d, sizes[0], &p, err);
    if (rc)
        return rc;
    if (p)
        give_back(d, p, 0);
    lock(d);
    if (sandbox)
        memcpy(sandbox, d->hello.sandbox, sizeof d->hello.sandbox);
    if (library)
        memcpy(library, d->hello.library[format], sizeof d->hello.library[format]);
    unlock(d);
    return 0;
}

int hst_decode_status(hst_ctx *ctx, char *parts, size_t cap, hst_err *err)
{
    char holds[128];
    const int rc = hst_decoders_ask(ctx->decoders, HST_FORMAT_UNKNOWN, holds, NULL, err);
    if (rc == 0)
        snprintf(parts, cap, "%s", holds);
    return rc;
}

int hst_decoders_process(hst_decoders *d)
{
    hst_decoder *p;
    lock(d);
    for (p = d->all; p && p->busy;)
        p = p->next;
    const int pid = p ? (int)p->pid : 0;
    unlock(d);
    return pid;
}

void hst_decoders_limit(hst_decoders *d, int seconds)
{
    d->limit_s = seconds;
}
