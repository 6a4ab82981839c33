/* context.h - what every layer may ask of the context: threads, kernels, cache, log, progress. */
#ifndef HST_BASE_CONTEXT_H
#define HST_BASE_CONTEXT_H
#include "base/err.h"

struct hst_executor; /* base/executor.h */
struct hst_kernels;  /* kernels/kernels.h */
struct hst_hub;      /* hub/endpoints.h */
struct hst_decoders; /* images/decoders.h */
struct hst_archives; /* archives/archives.h */
struct hst_ranks;    /* base/ranks.h */

struct hst_ctx {
    const struct hst_ctx *parent; /* of a view (hst_ctx_with), which owns nothing; else NULL */
    const struct hst_kernels *kernels;
    struct hst_executor *executor; /* NULL: one thread */
    char *cache_dir;               /* NULL: nothing is kept */
    char *helper;                  /* path of headstart-convert */
    struct hst_hub *hub;           /* NULL: nothing can be downloaded */
    struct hst_decoders *decoders; /* NULL: only what this process decodes itself is read */
    struct hst_archives *archives; /* opened so far; NULL: none can be read */
    struct hst_ranks *ranks;       /* the processes of this job; NULL: this one alone */
    int offline, no_store, rehash;
    uint64_t store_max_bytes;
    size_t spill_from; /* bytes from which a spill is a file (base/spill.h); 0: none is */
    hst_log_fn *log;
    void *log_arg;
    hst_progress_fn *progress;
    void *progress_arg;
};

/* A view that neither downloads nor logs, to look for what is here already. It is a value: nothing
 * to close. */
hst_ctx hst_ctx_offline(const hst_ctx *ctx);

/* The same without progress either: to keep, for work that is done later. */
hst_ctx hst_ctx_quiet(const hst_ctx *ctx);

/* One line to the caller's log, printable; nothing when there is none. */
void hst_log(const hst_ctx *ctx, int level, const char *fmt, ...) HST_PRINTF(3, 4);

/* Progress of one phase: at most ten reports a second, plus the first and the last. */
typedef struct hst_meter {
    const hst_ctx *ctx;
    const char *what;
    uint64_t total;
    int in_bytes;                 /* what is counted is bytes */
    double started_s, reported_s; /* monotonic clock */
    uint64_t from;                /* done before it began: no part of the rate */
    double loss, accuracy;        /* told as they are; negative: none */
} hst_meter;
hst_meter hst_meter_start(const hst_ctx *ctx, const char *what, uint64_t total);
/* 0, or HST_ESTOPPED when the caller's progress function asked to stop. */
HST_CHECK int hst_meter_at(hst_meter *m, uint64_t done, hst_err *err);
double hst_now_s(void); /* monotonic clock, seconds */
#endif
