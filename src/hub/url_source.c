/* url_source.c - files by address: Keras, torchvision, TF Hub, Kaggle and any other. They are kept
 * in our own store; what another program has already is taken from its cache. */
#include "hub/url_source.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/download.h"
#include "hub/lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t max_weights_bytes = UINT64_C(4) << 30;

/* ---- other programs' caches ---- */

static const char *cache_of(const hst_hub *hub, enum hst_hub_kind kind)
{
    switch (kind) {
    case HST_KERAS:
        return hub->keras_home;
    case HST_TORCHVISION:
        return hub->torch_home;
    case HST_TFHUB:
        return hub->tfhub_cache;
    case HST_KAGGLE:
        return hub->kaggle_cache;
    default:
        return NULL;
    }
}

/* The file or folder that another program keeps of this place, to be freed; NULL: none. */
static char *elsewhere(const hst_ctx *ctx, const hst_locator *p)
{
    const char *cache = ctx->hub && p->elsewhere[0] ? cache_of(ctx->hub, p->kind) : NULL;
    char *path = cache ? hst_path_join(cache, p->elsewhere, NULL) : NULL;
    if (path && (hst_is_dir(path) || hst_is_file(path)))
        return path;
    free(path);
    return NULL;
}

/* ---- hashes ---- */

/* What is known of the content: by the place, and from the first time. */
static hst_hashes known_of(const hst_locator *p, const hst_downloaded *k)
{
    hst_hashes known = p->known;
    if (k->sha256[0])
        snprintf(known.sha256, sizeof known.sha256, "%s", k->sha256);
    return known;
}

/* A place's name as the user wrote it: data sets are remembered apart from backbones. */
static const char *shown(const char *name)
{
    return strncmp(name, "photos:", 7) == 0 ? name + 7 : name;
}

/* When the content is another than the first time, says what to do about it. */
static int explain(int rc, const hst_downloaded *k, hst_err *err)
{
    if (rc != HST_EHASH || !k->sha256[0] || !err)
        return rc;
    hst_err why = *err;
    if (shown(k->name) != k->name)
        return hst_fail(err, HST_EHASH,
                        "%s (the hash of the first time: if the change is wanted, remove the "
                        "folder %s)",
                        why.msg, k->dir);
    return hst_fail(err, HST_EHASH,
                    "%s (the hash of the first time: if the change is wanted, headstart backbones "
                    "remove %s)",
                    why.msg, k->name);
}

static int check(const hst_locator *p, const hst_downloaded *k, const char *path, char sha256[65],
                 hst_err *err)
{
    hst_hashes known = known_of(p, k);
    struct stat st;
    if (p->bytes && stat(path, &st) == 0 && (uint64_t)st.st_size != p->bytes)
        return hst_fail(err, HST_EHASH, "%s has %lld bytes, expected %llu", path,
                        (long long)st.st_size, (unsigned long long)p->bytes);
    return hst_hashes_check(path, path, &known, sha256, err);
}

/* ---- one file ---- */

static int remember(hst_downloaded *k, const hst_locator *p, const char *file, const char *sha256,
                    hst_err *err)
{
    struct stat st;
    char *copy = hst_strdup(file, err), *name = hst_strdup(p->name, err);
    if (!copy || !name || stat(file, &st) != 0) {
        free(copy);
        free(name);
        return hst_fail(err, HST_EIO, "%s cannot be read", shown(p->name));
    }
    free(k->file);
    free(k->name);
    k->file = copy;
    k->name = name;
    k->bytes = (uint64_t)st.st_size;
    snprintf(k->sha256, sizeof k->sha256, "%s", sha256);
    int rc = hst_mkdirs(k->dir, err);
    return rc ? rc : hst_downloaded_write(k, err);
}

/* 1: the remembered file is there and whole. A damaged one of ours is no obstacle. */
static int is_here(const hst_ctx *ctx, const hst_locator *p, const hst_downloaded *k)
{
    char sha256[65];
    hst_err why = {0};
    if (!k->file || !hst_is_file(k->file))
        return 0;
    if (check(p, k, k->file, sha256, &why) == 0)
        return 1;
    hst_log(ctx, HST_LOG_WARN, "damaged in the cache, to be fetched again: %s", why.msg);
    return 0;
}

/* 1: another program's file is taken. */
static int take_elsewhere(const hst_ctx *ctx, const hst_locator *p, hst_downloaded *k, hst_err *err)
{
    char sha256[65], *path = elsewhere(ctx, p);
    hst_err why = {0};
    int rc = 0;
    if (path && hst_is_file(path)) {
        if (check(p, k, path, sha256, &why) == 0)
            rc = remember(k, p, path, sha256, err) ? HST_EIO : 1;
        else
            hst_log(ctx, HST_LOG_WARN, "not used: %s", why.msg);
    }
    free(path);
    return rc;
}

/* Kaggle wants to know the version. */
static int ask_version(const hst_ctx *ctx, const hst_locator *p, const char *authorization,
                       char url[HST_URL_MAX], hst_err *err)
{
    char ask[HST_URL_MAX], *text = NULL;
    snprintf(ask, sizeof ask, "%s/api/v1/models/%s/get", ctx->hub->kaggle_endpoint, p->repo);
    hst_wanted w = {
        .url = ask, .what = p->name, .authorization = authorization, .max_bytes = 4 << 20};
    int rc = hst_download_text(ctx, &w, &text, NULL, err);
    if (rc)
        return rc;
    json_t *o = hst_json_parse(text, strlen(text), p->name, NULL);
    json_int_t version = json_integer_value(json_object_get(o, "versionNumber"));
    int n = snprintf(url, HST_URL_MAX, "%s/api/v1/models/%s/%lld/download",
                     ctx->hub->kaggle_endpoint, p->repo, (long long)version);
    if (version < 1 || n >= HST_URL_MAX)
        rc = hst_fail(err, HST_ENET, "%s: the hub does not say which version is the newest",
                      p->name);
    json_decref(o);
    free(text);
    return rc;
}

static int download(const hst_ctx *ctx, const hst_locator *p, uint64_t max_bytes, const char *path,
                    const hst_downloaded *k, char sha256[65], hst_err *err)
{
    char url[HST_URL_MAX], *authorization = NULL;
    const hst_hub *hub = ctx->hub;
    int rc = hst_download_allowed(ctx, shown(p->name), err);
    if (rc)
        return rc;
    snprintf(url, sizeof url, "%s", p->url);
    if (p->kind == HST_KAGGLE && hub->kaggle_user && hub->kaggle_key) {
        authorization = hst_basic_authorization(hub->kaggle_user, hub->kaggle_key, err);
        if (!authorization)
            return HST_EMEM;
    }
    if (p->kind == HST_KAGGLE && !p->revision[0])
        rc = ask_version(ctx, p, authorization, url, err);
    hst_wanted w = {.url = url,
                    .what = p->file,
                    .authorization = authorization,
                    .bytes = p->bytes,
                    .max_bytes = max_bytes,
                    .known = known_of(p, k)};
    hst_log(ctx, HST_LOG_INFO, "downloading %s", shown(p->name));
    rc = rc ? rc : explain(hst_download(ctx, &w, path, sha256, NULL, err), k, err);
    free(authorization);
    return rc;
}

int hst_url_source_file(hst_ctx *ctx, const hst_locator *p, uint64_t max_bytes, hst_downloaded *k,
                        hst_err *err)
{
    char sha256[65], *path = NULL;
    int lock = -1, rc = hst_downloaded_read(ctx, p->name, k, err);
    if (rc || is_here(ctx, p, k))
        return rc;
    if (!ctx->offline) {
        lock = hst_downloaded_lock(ctx, k, err);
        if (lock < 0)
            return lock;
        hst_downloaded_clear(k);
        rc = hst_downloaded_read(ctx, p->name, k, err);
        if (rc || is_here(ctx, p, k)) /* another process was faster */
            goto out;
    }
    rc = take_elsewhere(ctx, p, k, err);
    if (rc)
        goto out;
    rc = HST_EMEM;
    path = hst_path_join(k->dir, p->file, err);
    if (!path)
        goto out;
    rc = download(ctx, p, max_bytes, path, k, sha256, err);
    rc = rc ? rc : remember(k, p, path, sha256, err);
out:
    hst_lock_drop(lock);
    free(path);
    return rc > 0 ? 0 : rc;
}

/* 1: what was made of the remembered file is still here; the file itself may have been pruned. */
static int find_converted(hst_ctx *ctx, const hst_locator *p, hst_weight_file *f, hst_err *err)
{
    hst_downloaded k = {0};
    hst_weight_file found = {0};
    int rc = hst_downloaded_read(ctx, p->name, &k, err), is = 0;
    if (rc == 0 && k.sha256[0]) {
        found.path = hst_converted_path(ctx, k.sha256, err);
        snprintf(found.sha256, sizeof found.sha256, "%s", k.sha256);
        snprintf(found.base, sizeof found.base, "%s", hst_path_base(k.file));
        is = found.path && hst_converted_usable(ctx, &found, NULL);
    }
    if (is)
        *f = found;
    else
        hst_weight_file_clear(&found);
    hst_downloaded_clear(&k);
    return rc ? rc : is;
}

int hst_url_source_find(hst_ctx *ctx, const hst_locator *p, hst_weight_file *f, hst_err *err)
{
    hst_downloaded k = {0};
    int rc = find_converted(ctx, p, f, err);
    if (rc)
        return rc < 0 ? rc : 0;
    char *folder = elsewhere(ctx, p);
    if (folder && hst_is_dir(folder)) {
        rc = hst_converted_local(ctx, folder, f, err);
    } else {
        rc = hst_url_source_file(ctx, p, max_weights_bytes, &k, err);
        rc = rc ? rc : hst_converted_local(ctx, k.file, f, err);
    }
    free(folder);
    hst_downloaded_clear(&k);
    return rc;
}

int hst_url_source_cached(const hst_ctx *ctx, const hst_locator *p)
{
    hst_downloaded k = {0};
    char *converted = NULL, *other = elsewhere(ctx, p);
    int is = other != NULL;
    if (hst_downloaded_read(ctx, p->name, &k, NULL) == 0 && k.name) {
        converted = k.sha256[0] ? hst_converted_path(ctx, k.sha256, NULL) : NULL;
        is |= hst_is_file(k.file) || (converted && hst_is_file(converted));
    }
    hst_downloaded_clear(&k);
    free(converted);
    free(other);
    return is;
}
