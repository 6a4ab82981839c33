#include "hub/hub.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "formats/convert.h"
#include "formats/safetensors.h"
#include "formats/source.h"
#include "hub/download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *hst_hub_path(const hst_ctx *ctx, const char *sha256, hst_err *err)
{
    char name[128];
    if (!ctx->cache_dir) {
        hst_fail(err, HST_EARG,
                 "a cache folder is needed for this backbone: set HEADSTART_CACHE or HOME, or give "
                 "a .safetensors file");
        return NULL;
    }
    snprintf(name, sizeof name, "backbones/%s.safetensors", sha256);
    return hst_path_join(ctx->cache_dir, name, err);
}

static int differs(const char *got, const char *want)
{
    return !got || strcmp(got, want) != 0;
}

int hst_hub_check(const char *path, const char *source_sha256, const hst_known *k, hst_err *err)
{
    char whole[65], tensors[65];
    hst_err why = {0};
    hst_tensors *t = hst_tensors_read(path, &why);
    if (!t && why.code == HST_EMODEL)
        return hst_fail(err, HST_EHASH, "%s", why.msg);
    if (!t)
        return hst_fail(err, why.code, "%s", why.msg);
    int rc = hst_tensors_digest_of(t, "content_sha256", whole, err);
    rc = rc ? rc
            : hst_tensors_digest(hst_tensors_at(t, 0), hst_tensors_count(t), NULL, 0, NULL, tensors,
                                 err);
    if (rc == 0 && (differs(hst_tensors_meta(t, "content_sha256"), whole) ||
                    differs(hst_tensors_meta(t, "source_sha256"), source_sha256) ||
                    (k && differs(tensors, k->tensors_sha256))))
        rc = hst_fail(err, HST_EHASH, "%s is not what was put into the cache: remove it", path);
    hst_tensors_free(t);
    return rc;
}

int hst_hub_import(const hst_ctx *ctx, const char *source, const char *sha256, const char *out,
                   hst_err *err)
{
    int rc = hst_convert(ctx, source, out, err);
    if (rc)
        return rc;
    rc = hst_hub_check(out, sha256, NULL, err);
    if (rc)
        unlink(out); /* the source changed meanwhile, or the helper is not ours */
    return rc;
}

int hst_hub_usable(const hst_ctx *ctx, const char *path, const char *sha256, const hst_known *k)
{
    hst_err why = {0};
    if (!hst_is_file(path))
        return 0;
    if (hst_hub_check(path, sha256, k, &why) == 0)
        return 1;
    if (why.code == HST_EHASH && !ctx->offline) { /* offline it stays, for verify to see */
        hst_log(ctx, HST_LOG_WARN, "damaged in the cache, to be made again: %s", why.msg);
        unlink(path);
    }
    return 0;
}

static void set_hash(hst_found *f, const char *sha256)
{
    snprintf(f->sha256, sizeof f->sha256, "%s", sha256);
}

static void set_base(hst_found *f, const char *path)
{
    snprintf(f->base, sizeof f->base, "%s", hst_path_base(path));
}

static int find_package(hst_ctx *ctx, const hst_known *k, hst_found *f, hst_err *err)
{
    f->path = hst_hub_path(ctx, k->member_sha256, err);
    if (!f->path)
        return err ? err->code : HST_EARG;
    set_base(f, k->member);
    set_hash(f, k->member_sha256);
    return hst_hub_pull(ctx, k, err);
}

/* A file of the one format that is read as it is. */
static int find_safetensors(const char *path, hst_found *f, hst_err *err)
{
    f->path = hst_strdup(path, err);
    set_base(f, path);
    return f->path ? hst_sha256_file(path, f->sha256, err) : HST_EMEM;
}

static int find_foreign(hst_ctx *ctx, const char *path, hst_found *f, hst_err *err)
{
    hst_source s;
    set_base(f, path);
    int rc = hst_source_open(&s, path, err);
    rc = rc ? rc : hst_source_hash(&s, f->sha256, err);
    hst_source_close(&s);
    if (rc) {
        (void)hst_err_at(err, path);
        return rc;
    }
    f->path = hst_hub_path(ctx, f->sha256, err);
    if (!f->path)
        return err ? err->code : HST_EARG;
    if (hst_hub_usable(ctx, f->path, f->sha256, NULL))
        return 0;
    char *dir = hst_path_join(ctx->cache_dir, "backbones", err);
    rc = dir ? hst_mkdirs(dir, err) : HST_EMEM;
    free(dir);
    if (rc)
        return rc;
    hst_log(ctx, HST_LOG_INFO, "importing %s", path);
    return hst_hub_import(ctx, path, f->sha256, f->path, err);
}

/* 1 when the folder is a network in a format that the import helper reads. */
static int is_foreign_folder(const char *dir)
{
    static const char *const files[] = {"saved_model.pb", "model.json"};
    int is = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = hst_path_join(dir, files[i], NULL);
        is |= path && hst_is_file(path);
        free(path);
    }
    return is;
}

/* Its own two files, or a folder in a foreign format. */
static int find_folder(hst_ctx *ctx, const char *dir, hst_found *f, hst_err *err)
{
    char *model = hst_path_join(dir, "model.safetensors", err);
    char *config = hst_path_join(dir, "config.json", err);
    int rc = model && config ? 0 : HST_EMEM;
    if (rc == 0 && !hst_is_file(model) && is_foreign_folder(dir))
        rc = find_foreign(ctx, dir, f, err);
    else if (rc == 0 && (!hst_is_file(model) || !hst_is_file(config)))
        rc = hst_fail(err, HST_EMODEL,
                      "%s: a backbone's folder holds model.safetensors and config.json; %s is "
                      "missing",
                      dir, hst_is_file(model) ? "config.json" : "model.safetensors");
    else if (rc == 0) {
        f->config = config;
        config = NULL;
        rc = find_safetensors(model, f, err);
    }
    free(model);
    free(config);
    return rc;
}

static int unknown(const char *name, hst_err *err)
{
    return hst_fail(err, HST_EARG,
                    "unknown backbone '%s': neither a file or folder here nor a name to fetch by "
                    "(headstart backbones list shows the short ones; also hf:org/name, keras:NAME, "
                    "torchvision:NAME, a TF Hub or Kaggle handle, https://...)",
                    name);
}

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

int hst_hub_local(hst_ctx *ctx, const char *path, hst_found *f, hst_err *err)
{
    if (hst_is_dir(path))
        return find_folder(ctx, path, f, err);
    if (!hst_is_file(path))
        return hst_fail(err, HST_EMODEL, "%s is not a regular file", path);
    return ends_with(path, ".safetensors") ? find_safetensors(path, f, err)
                                           : find_foreign(ctx, path, f, err);
}

/* ---- names --------------------------------------------------------------------------------------
 */

/* One place of a table's list, or of the user. HST_EARG: no such name. */
static int find_place(hst_ctx *ctx, const char *name, int fresh, hst_found *f, hst_err *err)
{
    hst_place *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return HST_EMEM;
    int rc = hst_place_parse(ctx->hub, name, p, err);
    if (rc == 0)
        rc = unknown(name, err);
    else if (rc > 0)
        rc = p->kind == HST_HF ? hst_hf_find(ctx, p, fresh, f, err) : hst_web_find(ctx, p, f, err);
    free(p);
    return rc;
}

/* 1 when the next place of a list is worth asking: this one has failed, not we. */
static int is_their_fault(int rc)
{
    return rc == HST_ENET || rc == HST_EHASH || rc == HST_EMODEL || rc == HST_EPROC;
}

/* What is here already, from whichever place of the list. */
static int find_here(const hst_ctx *ctx, const hst_known *k, hst_found *f, hst_err *err)
{
    hst_ctx here = *ctx;
    int rc = HST_ENET;
    here.offline = 1;
    here.log = NULL;
    for (int i = 0; k->sources[i] && is_their_fault(rc); i++) {
        hst_found_clear(f);
        rc = find_place(&here, k->sources[i], 0, f, err);
    }
    return rc;
}

static int find_known(hst_ctx *ctx, const hst_known *k, int fresh, hst_found *f, hst_err *err)
{
    hst_err why = {0};
    int rc = find_here(ctx, k, f, &why);
    if (rc && !is_their_fault(rc))
        return hst_fail(err, rc, "%s", why.msg);
    if (rc == 0)
        return 0;
    if (ctx->offline)
        return hst_download_allowed(ctx, k->name, err);
    hst_log(ctx, HST_LOG_INFO, "fetching backbone %s, licence %s", k->name, k->licence);
    for (int i = 0; k->sources[i]; i++) {
        hst_found_clear(f);
        rc = find_place(ctx, k->sources[i], fresh, f, &why);
        if (rc == 0 || !is_their_fault(rc))
            break;
        if (k->sources[i + 1])
            hst_log(ctx, HST_LOG_WARN, "%s: %s; now trying %s, the same weights", k->sources[i],
                    why.msg, k->sources[i + 1]);
    }
    return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
}

int hst_hub_fetch(hst_ctx *ctx, const char *name, int fresh, hst_found *f, hst_err *err)
{
    const hst_known *k = hst_known_find(name);
    if (!k)
        return find_place(ctx, name, fresh, f, err);
    return k->package ? find_package(ctx, k, f, err) : find_known(ctx, k, fresh, f, err);
}

static int package_cached(const hst_ctx *ctx, const hst_known *k)
{
    char *path = hst_hub_path(ctx, k->member_sha256, NULL);
    int is = path && hst_is_file(path);
    free(path);
    return is;
}

static int place_cached(const hst_ctx *ctx, const char *name)
{
    hst_place *p = hst_alloc(1, sizeof *p, NULL);
    int is = p && hst_place_parse(ctx->hub, name, p, NULL) == 1 &&
             (p->kind == HST_HF ? hst_hf_cached(ctx, p) : hst_web_cached(ctx, p));
    free(p);
    return is;
}

int hst_hub_cached(const hst_ctx *ctx, const char *name)
{
    const hst_known *k = hst_known_find(name);
    if (!k)
        return place_cached(ctx, name);
    int is = k->package && package_cached(ctx, k);
    for (int i = 0; k->sources[i] && !is; i++)
        is = place_cached(ctx, k->sources[i]);
    return is;
}

/* A short name wins over a file of that name, a file over a handle. */
int hst_hub_find(hst_ctx *ctx, const char *name, hst_found *out, hst_err *err)
{
    hst_found f = {0};
    int here = !hst_known_find(name) && !hst_place_has_scheme(name) && access(name, F_OK) == 0;
    int rc = here ? hst_hub_local(ctx, name, &f, err) : hst_hub_fetch(ctx, name, 0, &f, err);
    if (rc == 0)
        *out = f;
    else
        hst_found_clear(&f);
    return rc;
}

void hst_found_clear(hst_found *f)
{
    free(f->path);
    free(f->config);
    *f = (hst_found){0};
}
