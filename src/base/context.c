#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

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
