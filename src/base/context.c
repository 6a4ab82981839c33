#include "base/context.h"
#include "base/mem.h"
#include "base/sized.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const hst_sized callbacks = HST_SIZED(hst_callbacks, progress_arg);

void hst_callbacks_init(hst_callbacks *c, size_t size)
{
    hst_sized_init(&callbacks, &(hst_callbacks){0}, c, size);
}

/* Shares what ctx points to; only the context itself frees it. */
static hst_ctx view(const hst_ctx *ctx)
{
    hst_ctx v = *ctx;
    v.parent = ctx;
    return v;
}

hst_ctx *hst_ctx_with(const hst_ctx *ctx, const hst_callbacks *c, hst_err *err)
{
    hst_callbacks own = {0};
    hst_ctx *v = NULL;
    if (hst_sized_read(&callbacks, &own, c, err) == 0)
        v = hst_alloc(1, sizeof *v, err);
    if (!v)
        return NULL;
    *v = view(ctx);
    if (own.log) {
        v->log = own.log;
        v->log_arg = own.log_arg;
    }
    if (own.progress) {
        v->progress = own.progress;
        v->progress_arg = own.progress_arg;
    }
    return v;
}

hst_ctx hst_ctx_offline(const hst_ctx *ctx)
{
    hst_ctx v = view(ctx);
    v.offline = 1;
    v.log = NULL;
    return v;
}

hst_ctx hst_ctx_quiet(const hst_ctx *ctx)
{
    hst_ctx v = hst_ctx_offline(ctx);
    v.progress = NULL;
    return v;
}

void hst_log(const hst_ctx *ctx, int level, const char *fmt, ...)
{
    char raw[2048], line[2048];
    if (!ctx->log)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    hst_printable(line, sizeof line, raw);
    ctx->log(ctx->log_arg, level, line);
}

double hst_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

hst_meter hst_meter_start(const hst_ctx *ctx, const char *what, uint64_t total)
{
    return (hst_meter){.ctx = ctx,
                       .what = what,
                       .total = total,
                       .started_s = hst_now_s(),
                       .loss = -1,
                       .accuracy = -1};
}

int hst_meter_at(hst_meter *m, uint64_t done, hst_err *err)
{
    double now = hst_now_s();
    if (!m->ctx->progress)
        return 0;
    if (now - m->reported_s < 0.1 && done != m->total)
        return 0;
    m->reported_s = now;
    double spent = now - m->started_s;
    double rate = spent > 0 ? (double)(done - m->from) / spent : 0;
    hst_progress p = {.size = sizeof p,
                      .what = m->what,
                      .done = done,
                      .total = m->total,
                      .per_s = rate,
                      .in_bytes = m->in_bytes,
                      .loss = m->loss,
                      .accuracy = m->accuracy};
    if (m->ctx->progress(m->ctx->progress_arg, &p) != 0)
        return hst_fail(err, HST_ESTOPPED, "interrupted");
    return 0;
}
