/* open.c - where implementations meet: the configuration, and the context made of it. */
#include "archives/archives.h"
#include "base/context.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/ranks.h"
#include "base/sized.h"
#include "formats/convert.h"
#include "hub/endpoints.h"
#include "images/decoders.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SPILL_FROM = 32 << 20, /* features of 6,500 photos at 1,280 numbers each */
    PATIENCE_S = 10
};

static const hst_sized sized = HST_SIZED(hst_config, stall_s);
static const hst_config defaults = {.size = sizeof defaults, .store_max_bytes = (uint64_t)2 << 30};

const char *hst_version(void)
{
    return HST_VERSION;
}

void hst_config_init(hst_config *cfg, size_t size)
{
    hst_sized_init(&sized, &defaults, cfg, size);
}

/* An environment variable that is set and not empty, or NULL. */
static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* A whole number, or -1 (which hst_open refuses) when the text is anything else. */
static int env_number(const char *name, int absent, int most)
{
    const char *v = env(name);
    char *end;
    if (!v)
        return absent;
    long n = strtol(v, &end, 10);
    return *end || n < 0 || n > most ? -1 : (int)n;
}

/* Composed paths live here until the next call on this thread. */
typedef struct paths {
    char cache[4096], hf_home[4096], hf_cache[4096], hf_token[4096], kaggle[4096], tfhub[4096],
        keras[4096], torch[4096];
} paths;

/* The first that is set: own; or base/name; else NULL. */
static const char *place(char out[4096], const char *own, const char *base, const char *name)
{
    if (own || !base)
        return own;
    int n = snprintf(out, 4096, "%s/%s", base, name);
    return n > 0 && n < 4096 ? out : NULL;
}

static const char *either(const char *a, const char *b)
{
    return a ? a : b;
}

/* As huggingface_hub reads it. */
static int is_true(const char *name)
{
    static const char *const words[] = {"1", "on", "yes", "true"};
    const char *v = env(name);
    for (size_t i = 0; v && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(v, words[i]) == 0)
            return 1;
    return 0;
}

/* Folders in which other programs keep what they fetched, each found as that program finds it. */
static void caches_from_env(hst_config *c, paths *p, const char *cache, const char *home)
{
    const char *hf = place(p->hf_home, env("HF_HOME"), cache, "huggingface");
    c->hf_cache = either(env("HF_HUB_CACHE"), env("HUGGINGFACE_HUB_CACHE"));
    c->hf_cache = place(p->hf_cache, c->hf_cache, hf, "hub");
    c->hf_token_file = place(p->hf_token, env("HF_TOKEN_PATH"), hf, "token");
    c->kaggle_cache = place(p->kaggle, env("KAGGLEHUB_CACHE"), home, ".cache/kagglehub");
    c->tfhub_cache =
        place(p->tfhub, env("TFHUB_CACHE_DIR"), either(env("TMPDIR"), "/tmp"), "tfhub_modules");
    c->keras_home = place(p->keras, env("KERAS_HOME"), home, ".keras");
    c->torch_home = place(p->torch, env("TORCH_HOME"), cache, "torch");
}

static void network_from_env(hst_config *c)
{
    const char *all = either(env("all_proxy"), env("ALL_PROXY"));
    c->hf_endpoint = env("HF_ENDPOINT");
    c->hf_token = env("HF_TOKEN");
    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        c->hf_token = c->hf_token_file = NULL;
    c->kaggle_endpoint = env("KAGGLE_API_ENDPOINT");
    c->kaggle_user = env("KAGGLE_USERNAME");
    c->kaggle_key = env("KAGGLE_KEY");
    c->mirror = env("HEADSTART_MIRROR");
    c->http_proxy = either(env("http_proxy"), all); /* HTTP_PROXY can be set by a web client */
    c->https_proxy = either(either(env("https_proxy"), env("HTTPS_PROXY")), all);
    c->no_proxy = either(env("no_proxy"), env("NO_PROXY"));
    c->ca_file = either(env("CURL_CA_BUNDLE"), env("SSL_CERT_FILE"));
    c->retry_ms = env_number("HEADSTART_RETRY_MS", 0, 1000000);
    c->stall_s = env_number("HEADSTART_STALL_S", 0, 100000);
}

/* What a launcher tells of the processes that it has started. Others may run under PMI too, so
 * Slurm's own numbers count only where it brings PMIx. */
static void ranks_from_env(hst_config *c)
{
    static const char *const names[][2] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                           {"PMI_SIZE", "PMI_RANK"},
                                           {"SLURM_STEP_NUM_TASKS", "PMIX_RANK"}};
    c->mpi = env("HEADSTART_MPI");
    c->patience_s = env_number("HEADSTART_PATIENCE_S", 0, 100000);
    for (size_t i = 0; c->ranks < 2 && i < sizeof names / sizeof *names; i++) {
        const int size = env_number(names[i][0], 0, 1 << 20);
        const int rank = env_number(names[i][1], -1, 1 << 20);
        if (size > 1 && rank >= 0 && rank < size) {
            c->ranks = size;
            c->rank = rank;
        }
    }
}

void hst_config_init_env(hst_config *cfg, size_t size)
{
    static _Thread_local paths p;
    hst_config c = defaults;
    const char *home = env("HOME");
    char under_home[4096];
    const char *cache = place(under_home, env("XDG_CACHE_HOME"), home, ".cache");
    c.cache_dir = place(p.cache, env("HEADSTART_CACHE"), cache, "headstart");
    c.cpu = env("HEADSTART_CPU");
    c.threads = env_number("HEADSTART_THREADS", 0, 1024);
    c.helper = env("HEADSTART_HELPER");
    c.decoder = env("HEADSTART_DECODER");
    c.offline = env("HEADSTART_OFFLINE") != NULL || is_true("HF_HUB_OFFLINE");
    c.no_store = env("HEADSTART_NO_STORE") != NULL;
    caches_from_env(&c, &p, cache, home);
    network_from_env(&c);
    ranks_from_env(&c);
    hst_sized_init(&sized, &c, cfg, size);
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

static hst_decoders *decoders_of(const hst_config *cfg, hst_err *err)
{
    char *found = cfg->decoder ? hst_strdup(cfg->decoder, err)
                               : hst_helper_find(HST_DECODE_HELPER, HST_DECODE_IN_BUILD, err);
    hst_decoders *d = found ? hst_decoders_new(found, err) : NULL;
    free(found);
    return d;
}

static int join_ranks(hst_ctx *ctx, const hst_config *cfg, int *threads, hst_err *err)
{
    const hst_ranks_job job = {HST_RANKS_VERSION, cfg->rank, cfg->ranks,
                               cfg->patience_s ? cfg->patience_s : PATIENCE_S};
    char *path = NULL;
    if (cfg->ranks < 2)
        return 0;
    path =
        cfg->mpi ? hst_strdup(cfg->mpi, err) : hst_helper_find(HST_MPI_PART, HST_MPI_IN_BUILD, err);
    ctx->ranks = path ? hst_ranks_load(path, &job, err) : NULL;
    free(path);
    if (!ctx->ranks)
        return HST_EPROC;
    int rc = hst_ranks_alike(ctx->ranks, "headstart", HST_VERSION, err);
    rc = rc ? rc
            : hst_ranks_alike(ctx->ranks, "the instruction set (HEADSTART_CPU)", ctx->kernels->isa,
                              err);
    return rc || *threads ? rc : hst_ranks_threads(ctx->ranks, threads, err);
}

hst_ctx *hst_open(const hst_config *given, hst_err *err)
{
    hst_config full = defaults;
    const hst_config *cfg = &full;
    hst_ctx *ctx = NULL;
    if (hst_sized_read(&sized, &full, given, err))
        return NULL;
    if (cfg->threads < 0 || cfg->threads > 1024) {
        hst_fail(err, HST_EARG, "the number of threads must be 1 to 1024, or 0 for all processors");
        return NULL;
    }
    if (cfg->retry_ms < 0 || cfg->stall_s < 0) {
        hst_fail(err, HST_EARG, "times to wait for a hub are whole numbers from 0");
        return NULL;
    }
    if (cfg->ranks > 1 && (cfg->rank < 0 || cfg->rank >= cfg->ranks || cfg->patience_s < 0)) {
        hst_fail(err, HST_EARG, "a rank is 0 to the number of ranks - 1, and patience from 0 s");
        return NULL;
    }
    int threads = cfg->threads;
    ctx = hst_alloc(1, sizeof *ctx, err);
    if (!ctx || choose_kernels(ctx, cfg->cpu, err) || join_ranks(ctx, cfg, &threads, err))
        goto fail;
    ctx->hub = hst_hub_new(cfg, hst_curl_exchange, err);
    if (!ctx->hub)
        goto fail;
    ctx->offline = cfg->offline;
    ctx->no_store = cfg->no_store;
    ctx->rehash = cfg->rehash;
    ctx->store_max_bytes = cfg->store_max_bytes;
    ctx->spill_from = SPILL_FROM;
    ctx->log = cfg->log;
    ctx->log_arg = cfg->log_arg;
    ctx->progress = cfg->progress;
    ctx->progress_arg = cfg->progress_arg;
    ctx->helper = cfg->helper ? hst_strdup(cfg->helper, err)
                              : hst_helper_find(HST_CONVERT_HELPER, HST_CONVERT_IN_BUILD, err);
    ctx->cache_dir = cfg->cache_dir ? hst_strdup(cfg->cache_dir, err) : NULL;
    ctx->executor = hst_executor_new(threads ? threads : hst_processors(), err);
    ctx->archives = hst_archives_new(err);
    ctx->decoders = decoders_of(cfg, err);
    if (ctx->executor && hst_ranks_meet(ctx->ranks, hst_executor_threads(ctx->executor), err))
        goto fail;
    if (ctx->helper && ctx->decoders && (ctx->cache_dir || !cfg->cache_dir) && ctx->executor &&
        ctx->archives)
        return ctx;
fail:
    if (ctx && ctx->ranks)
        (void)ctx->ranks->leave(ctx->ranks, err);
    hst_close(ctx);
    return NULL;
}

void hst_close(hst_ctx *ctx)
{
    if (!ctx)
        return;
    if (!ctx->parent) {
        hst_executor_free(ctx->executor);
        hst_hub_free(ctx->hub);
        hst_archives_free(ctx->archives);
        hst_decoders_free(ctx->decoders);
        free(ctx->cache_dir);
        free(ctx->helper);
        hst_ranks_close(ctx->ranks);
    }
    free(ctx);
}

int hst_process_rank(const hst_ctx *ctx)
{
    return hst_ranks_rank(ctx->ranks);
}

int hst_process_count(const hst_ctx *ctx)
{
    return hst_ranks_size(ctx->ranks);
}

const char *hst_process_host(const hst_ctx *ctx, int rank)
{
    if (!ctx->ranks || rank < 0 || rank >= ctx->ranks->size)
        return NULL;
    return ctx->ranks->host(ctx->ranks, rank);
}

int hst_give_up(hst_ctx *ctx, const hst_err *why)
{
    return ctx->ranks ? ctx->ranks->leave(ctx->ranks, why) : 1;
}

int hst_threads(const hst_ctx *ctx)
{
    return hst_executor_threads(ctx->executor);
}

const char *hst_cpu(const hst_ctx *ctx)
{
    return ctx->kernels->name;
}

const char *hst_precision(const hst_ctx *ctx, int i, int *is_faster)
{
    if (i < 0 || i >= HST_PRECISIONS)
        return NULL;
    const hst_products *p = ctx->kernels->products[i];
    if (is_faster)
        *is_faster = p && p->is_fast;
    return hst_precision_names[i];
}

const char *hst_cpu_variant(int i, int *usable)
{
    return hst_kernels_name(i, usable);
}
