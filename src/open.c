/* open.c - where implementations meet: the configuration, and the context made of it. */
#include "base/context.h"
#include "base/crew.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hst_version(void)
{
    return HST_VERSION;
}

hst_config hst_config_default(void)
{
    return (hst_config){.size = sizeof(hst_config), .store_max_bytes = (uint64_t)2 << 30};
}

/* An environment variable that is set and not empty, or NULL. */
static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* Beyond so many threads the steps of one image are too short to be shared out. */
enum { CREW_MAX = 16 };

/* A whole number, or -1 (which hst_open refuses) when the text is anything else. */
static int env_number(const char *name, int absent)
{
    const char *v = env(name);
    char *end;
    if (!v)
        return absent;
    long n = strtol(v, &end, 10);
    return *end || n < 0 || n > 1024 ? -1 : (int)n;
}

hst_config hst_config_from_env(void)
{
    static _Thread_local char cache[4096];
    hst_config c = hst_config_default();
    const char *xdg = env("XDG_CACHE_HOME"), *home = env("HOME");
    c.cache_dir = env("HEADSTART_CACHE");
    if (!c.cache_dir && (xdg || home)) {
        int n = snprintf(cache, sizeof cache, "%s%s", xdg ? xdg : home,
                         xdg ? "/headstart" : "/.cache/headstart");
        c.cache_dir = n > 0 && (size_t)n < sizeof cache ? cache : NULL;
    }
    c.cpu = env("HEADSTART_CPU");
    c.threads = env_number("HEADSTART_THREADS", 0);
    c.helper = env("HEADSTART_HELPER");
    c.offline = env("HEADSTART_OFFLINE") != NULL;
    c.no_store = env("HEADSTART_NO_STORE") != NULL;
    return c;
}

static int choose_kernels(hst_ctx *ctx, const char *cpu, hst_err *err)
{
    int usable = 0;
    ctx->kernels = cpu ? hst_kernels_find(cpu) : hst_kernels_best();
    if (ctx->kernels)
        return 0;
    for (int i = 0; hst_kernels_name(i, &usable); i++)
        if (strcmp(hst_kernels_name(i, NULL), cpu) == 0)
            return hst_fail(err, HST_EUNSUP, "this machine cannot run the %s kernels", cpu);
    return hst_fail(err, HST_EARG, "unknown instruction set '%s' (see headstart info --devices)",
                    cpu);
}

hst_ctx *hst_open(const hst_config *cfg, hst_err *err)
{
    hst_ctx *ctx = NULL;
    if (cfg->threads < 0 || cfg->threads > 1024) {
        hst_fail(err, HST_EARG, "the number of threads must be 1 to 1024, or 0 for all processors");
        return NULL;
    }
    ctx = hst_alloc(1, sizeof *ctx, err);
    if (!ctx || choose_kernels(ctx, cfg->cpu, err))
        goto fail;
    ctx->threads = cfg->threads ? cfg->threads : hst_processors();
    ctx->offline = cfg->offline;
    ctx->no_store = cfg->no_store;
    ctx->rehash = cfg->rehash;
    ctx->store_max_bytes = cfg->store_max_bytes;
    ctx->log = cfg->log;
    ctx->log_arg = cfg->log_arg;
    ctx->progress = cfg->progress;
    ctx->progress_arg = cfg->progress_arg;
    ctx->helper = hst_strdup(cfg->helper ? cfg->helper : HST_HELPER, err);
    ctx->cache_dir = cfg->cache_dir ? hst_strdup(cfg->cache_dir, err) : NULL;
    if (ctx->threads > 1)
        ctx->crew = hst_crew_new(ctx->threads < CREW_MAX ? ctx->threads : CREW_MAX, err);
    if (ctx->helper && (ctx->cache_dir || !cfg->cache_dir) && (ctx->crew || ctx->threads == 1))
        return ctx;
fail:
    hst_close(ctx);
    return NULL;
}

void hst_close(hst_ctx *ctx)
{
    if (!ctx)
        return;
    hst_crew_free(ctx->crew);
    free(ctx->cache_dir);
    free(ctx->helper);
    free(ctx);
}

int hst_threads(const hst_ctx *ctx)
{
    return ctx->threads;
}

const char *hst_cpu(const hst_ctx *ctx)
{
    return hst_kernels_isa(ctx->kernels);
}

const char *hst_cpu_variant(int i, int *usable)
{
    return hst_kernels_name(i, usable);
}
