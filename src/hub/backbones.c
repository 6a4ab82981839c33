/* backbones.c - the public functions on what is known, fetched and kept. */
#include "base/file.h"
#include "base/mem.h"
#include "formats/workdir.h"
#include "hub/hub.h"
#include "hub/huggingface.h"
#include "hub/lock.h"
#include "hub/url_source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hst_backbone_name(const hst_ctx *ctx, int i, int *cached)
{
    const hst_catalog_entry *k = hst_catalog_at(i);
    if (cached)
        *cached = k && hst_hub_cached(ctx, k->name);
    return k ? k->name : NULL;
}

int hst_backbone_pull(hst_ctx *ctx, const char *name, hst_err *err)
{
    hst_weight_file f = {0};
    int rc = hst_hub_fetch(ctx, name, 1, &f, err);
    hst_weight_file_clear(&f);
    return rc;
}

/* ---- the list ---- */

static uint64_t size_of(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static uint64_t converted_size(const hst_ctx *ctx, const char *sha256)
{
    char *path = sha256[0] ? hst_converted_path(ctx, sha256, NULL) : NULL;
    uint64_t n = size_of(path);
    free(path);
    return n;
}

static int has_cache(const hst_ctx *ctx, hst_err *err)
{
    if (ctx->cache_dir)
        return 0;
    return hst_fail(err, HST_EARG, "there is no cache folder: set HEADSTART_CACHE or HOME");
}

typedef struct listing {
    const hst_ctx *ctx;
    hst_backbone_entry_fn *fn;
    void *arg;
    hst_err *err;
} listing;

static int tell(const listing *l, hst_backbone_entry e)
{
    e.size = sizeof e;
    return l->fn(l->arg, &e) == 0 ? 0 : hst_fail(l->err, HST_ESTOPPED, "interrupted");
}

/* What is kept for one of a short name's places. */
static uint64_t place_size(const hst_ctx *ctx, const char *source)
{
    uint64_t n = 0;
    hst_downloaded k = {0};
    hst_locator *p = hst_alloc(1, sizeof *p, NULL);
    if (p && hst_locator_parse(ctx->hub, source, p, NULL) == 1 &&
        hst_downloaded_read(ctx, p->name, &k, NULL) == 0)
        n = size_of(k.file) + converted_size(ctx, k.sha256);
    hst_downloaded_clear(&k);
    free(p);
    return n;
}

static const char *const kind_names[] = {"convolutions", "transformer"};
enum { N_KINDS = sizeof kind_names / sizeof *kind_names };

static int tell_known(listing *l, const hst_catalog_entry *k)
{
    char sources[256] = "";
    size_t at = 0;
    uint64_t bytes = k->package ? converted_size(l->ctx, k->member_sha256) : 0;
    for (int i = 0; k->sources[i] && at < sizeof sources; i++) {
        at += (size_t)snprintf(sources + at, sizeof sources - at, "%s%s", i ? ", " : "",
                               k->sources[i]);
        bytes += place_size(l->ctx, k->sources[i]);
    }
    const hst_catalog_figures *f = &k->figures;
    if (k->package)
        snprintf(sources, sizeof sources, "pip:%s", k->package);
    return tell(l, (hst_backbone_entry){.name = k->name,
                                        .sources = sources,
                                        .bytes = bytes,
                                        .known = 1,
                                        .licence = k->licence,
                                        .usual = f->usual,
                                        .n_params = (uint64_t)(f->millions * 1e6),
                                        .top1 = f->top1 / 100,
                                        .kind = kind_names[f->transformer],
                                        .gflop = f->gflop,
                                        .n_features = f->features,
                                        .cached = hst_hub_cached(l->ctx, k->name)});
}

static int tell_kept(void *arg, const hst_downloaded *k)
{
    listing *l = arg;
    hst_locator *p = hst_alloc(1, sizeof *p, l->err);
    if (!p)
        return HST_EMEM;
    int is = hst_locator_parse(l->ctx->hub, k->name, p, NULL) == 1; /* data sets are not */
    free(p);
    uint64_t bytes = size_of(k->file) + converted_size(l->ctx, k->sha256);
    return !is ? 0
               : tell(l, (hst_backbone_entry){.name = k->name,
                                              .sources = "",
                                              .kind = "",
                                              .bytes = bytes,
                                              .cached = hst_hub_cached(l->ctx, k->name)});
}

int hst_backbone_list(hst_ctx *ctx, hst_backbone_entry_fn *fn, void *arg, hst_err *err)
{
    listing l = {.ctx = ctx, .fn = fn, .arg = arg, .err = err};
    const hst_catalog_entry *k;
    int rc = has_cache(ctx, err);
    for (int kind = 0; kind < N_KINDS; kind++)
        for (int i = 0; rc == 0 && (k = hst_catalog_at(i)); i++)
            rc = k->figures.transformer == kind ? tell_known(&l, k) : 0;
    return rc ? rc : hst_downloaded_each(ctx, tell_kept, &l, err);
}

/* ---- one name, place by place ---- */

typedef struct visit {
    hst_ctx *ctx;
    const char *name; /* as the user gave it */
    int seen;         /* places of which something is here */
    uint64_t freed;
    hst_err *err;
} visit;

/* Calls fn for the place or places behind a name. */
static int each_place(visit *v, int (*fn)(visit *v, const hst_locator *p))
{
    const hst_catalog_entry *k = hst_catalog_find(v->name);
    hst_locator *p = hst_alloc(1, sizeof *p, v->err);
    int rc = p ? 0 : HST_EMEM;
    for (int i = 0; rc == 0 && (k ? k->sources[i] != NULL : i < 1); i++) {
        rc = hst_locator_parse(v->ctx->hub, k ? k->sources[i] : v->name, p, v->err);
        if (rc == 0)
            rc = hst_fail(v->err, HST_EARG, "unknown backbone '%s' (see headstart backbones list)",
                          v->name);
        rc = rc > 0 ? fn(v, p) : rc;
    }
    free(p);
    return rc;
}

/* ---- verify ---- */

static int verify_converted(visit *v, const char *sha256, const hst_catalog_entry *k)
{
    hst_weight_file f = {.path = hst_converted_path(v->ctx, sha256, v->err)};
    int rc = f.path ? 0 : HST_EMEM;
    snprintf(f.sha256, sizeof f.sha256, "%s", sha256);
    if (rc == 0 && hst_is_file(f.path)) {
        v->seen++;
        rc = hst_converted_check(&f, k, v->err);
    }
    hst_weight_file_clear(&f);
    return rc;
}

static int verify_hf(visit *v, const hst_locator *p, const hst_downloaded *k)
{
    hst_ctx here = hst_ctx_offline(v->ctx);
    hst_weight_file f = {0};
    hst_err why = {0};
    int rc = hst_hf_find(&here, p, 0, &f, &why);
    hst_weight_file_clear(&f);
    v->seen += rc == 0 || k->name != NULL;
    if (rc == 0 || !k->name)
        return 0;
    return hst_fail(v->err, HST_EHASH, "%s is damaged or not whole in the cache: pull it again",
                    p->name);
}

static int verify_place(visit *v, const hst_locator *p)
{
    hst_downloaded k = {0};
    char sha256[65];
    int rc = hst_downloaded_read(v->ctx, p->name, &k, v->err);
    if (rc == 0 && p->kind == HST_HF) {
        rc = verify_hf(v, p, &k);
    } else if (rc == 0 && k.name) {
        hst_hashes known = {0};
        memcpy(known.sha256, k.sha256, sizeof known.sha256);
        if (hst_is_file(k.file)) {
            v->seen++;
            rc = hst_hashes_check(k.file, k.file, &known, sha256, v->err);
        }
        rc = rc ? rc : verify_converted(v, k.sha256, NULL);
    }
    hst_downloaded_clear(&k);
    return rc;
}

int hst_backbone_verify(hst_ctx *ctx, const char *name, hst_err *err)
{
    visit v = {.ctx = ctx, .name = name, .err = err};
    const hst_catalog_entry *k = hst_catalog_find(name);
    int rc =
        k && k->package ? verify_converted(&v, k->member_sha256, k) : each_place(&v, verify_place);
    if (rc == 0 && !v.seen)
        rc = hst_fail(err, HST_EIO, "backbone %s is not in the cache: nothing to verify", name);
    return rc;
}

/* ---- remove ---- */

static void drop(visit *v, const char *path)
{
    uint64_t n = size_of(path);
    if (path && unlink(path) == 0) {
        v->freed += n;
        v->seen++;
    }
}

static void drop_converted(visit *v, const char *sha256)
{
    char *path = sha256[0] ? hst_converted_path(v->ctx, sha256, NULL) : NULL;
    drop(v, path);
    free(path);
}

/* Everything in a record's folder but the lock, which others may be waiting for, and what keep
 * names. */
static int empty_folder(visit *v, const char *dir, const char *const keep[2])
{
    int rc = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; rc == 0 && d && (e = readdir(d));) {
        int kept = e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0;
        for (int i = 0; i < 2; i++)
            kept |= keep[i] && strcmp(e->d_name, keep[i]) == 0;
        char *path = kept ? NULL : hst_path_join(dir, e->d_name, v->err);
        if (!kept && !path)
            rc = HST_EMEM;
        drop(v, path);
        free(path);
    }
    if (d)
        closedir(d);
    return rc;
}

static int remove_place(visit *v, const hst_locator *p)
{
    static const char *const nothing[2] = {NULL, NULL};
    hst_downloaded k = {0};
    hst_err why = {0};
    int rc = hst_downloaded_read(v->ctx, p->name, &k, &why), lock = -1;
    if (rc && rc != HST_EHASH) { /* a damaged record is to go, too */
        hst_downloaded_clear(&k);
        return hst_fail(v->err, rc, "%s", why.msg);
    }
    rc = 0;
    if (hst_is_dir(k.dir)) {
        lock = hst_downloaded_lock(v->ctx, &k, v->err);
        rc = lock < 0 ? lock : empty_folder(v, k.dir, nothing);
        if (rc == 0)
            drop_converted(v, k.sha256);
        hst_lock_drop(lock);
    }
    hst_downloaded_clear(&k);
    return rc;
}

int hst_backbone_remove(hst_ctx *ctx, const char *name, uint64_t *freed, hst_err *err)
{
    visit v = {.ctx = ctx, .name = name, .err = err};
    const hst_catalog_entry *k = hst_catalog_find(name);
    int rc = 0;
    if (k && k->package)
        drop_converted(&v, k->member_sha256);
    else
        rc = each_place(&v, remove_place);
    if (rc == 0 && !v.seen)
        rc = hst_fail(err, HST_EIO, "nothing is kept of backbone %s", name);
    if (rc == 0 && freed)
        *freed = v.freed;
    return rc;
}

/* ---- prune ---- */

/* One folder below downloads: of what is converted, the record is enough; without a record nothing
 * was finished. A folder in use is left alone. */
static int prune_folder(visit *v, const char *dir)
{
    char *lock_path = hst_path_join(dir, "lock", v->err);
    if (!lock_path)
        return HST_EMEM;
    int lock = hst_lock_try(lock_path), rc = 0;
    free(lock_path);
    if (lock < 0)
        return 0;
    hst_downloaded k = {0};
    if (hst_downloaded_at(dir, &k, NULL) == 0) {
        int needed = k.name && hst_downloaded_is_own(&k) && converted_size(v->ctx, k.sha256) == 0;
        const char *const keep[2] = {"record.json", needed ? hst_path_base(k.file) : NULL};
        rc = empty_folder(v, dir, keep);
    }
    hst_downloaded_clear(&k);
    hst_lock_drop(lock);
    return rc;
}

int hst_backbone_prune(hst_ctx *ctx, uint64_t *freed, hst_err *err)
{
    visit v = {.ctx = ctx, .err = err};
    int rc = has_cache(ctx, err);
    if (rc)
        return rc;
    char *top = hst_path_join(ctx->cache_dir, "downloads", err);
    DIR *d = top ? opendir(top) : NULL;
    for (struct dirent *e; rc == 0 && d && (e = readdir(d));) {
        char *dir = e->d_name[0] == '.' ? NULL : hst_path_join(top, e->d_name, err);
        if (dir && hst_is_dir(dir))
            rc = prune_folder(&v, dir);
        free(dir);
    }
    if (d)
        closedir(d);
    rc = top ? rc : HST_EMEM;
    free(top);
    static const char *const folders[] = {"backbones", "photos"};
    for (size_t i = 0; rc == 0 && i < sizeof folders / sizeof *folders; i++) {
        char *folder = hst_path_join(ctx->cache_dir, folders[i], err);
        v.freed += folder ? hst_workdir_sweep(folder) : 0;
        rc = folder ? 0 : HST_EMEM;
        free(folder);
    }
    if (rc == 0 && freed)
        *freed = v.freed;
    return rc;
}
