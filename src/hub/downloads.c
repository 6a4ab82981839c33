#include "hub/downloads.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "hub/digest.h"
#include "hub/lock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX_BYTES = 64 * 1024, KEY = 40, MAX_RECORDS = 100000 };

static int no_cache(hst_err *err)
{
    return hst_fail(err, HST_EARG,
                    "a cache folder is needed for downloads: set HEADSTART_CACHE or HOME, or give "
                    "a file");
}

static char *downloads(const hst_ctx *ctx, hst_err *err)
{
    if (ctx->cache_dir)
        return hst_path_join(ctx->cache_dir, "downloads", err);
    no_cache(err);
    return NULL;
}

static char *folder_of(const hst_ctx *ctx, const char *name, hst_err *err)
{
    uint8_t digest[32];
    char hex[HST_SHA256_HEX], *dir = NULL, *top = downloads(ctx, err);
    if (top && hst_sha256_bytes(name, strlen(name), digest, err) == 0) {
        hst_hex(digest, hex);
        hex[KEY] = 0;
        dir = hst_path_join(top, hex, err);
    }
    free(top);
    return dir;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* A file without a slash lies beside the record. */
static int fill(hst_downloaded *k, const json_t *o, hst_err *err)
{
    const char *file = text_of(o, "file"), *sha256 = text_of(o, "sha256");
    json_int_t bytes = json_integer_value(json_object_get(o, "bytes"));
    if (!*text_of(o, "name") || !*file || file[0] == '.' || bytes < 0 ||
        (*sha256 && !hst_is_hex(sha256, 64)))
        return hst_fail(err, HST_EHASH, "%s/record.json is damaged: remove that folder", k->dir);
    snprintf(k->sha256, sizeof k->sha256, "%s", sha256);
    k->bytes = (uint64_t)bytes;
    k->name = hst_strdup(text_of(o, "name"), err);
    k->file = strchr(file, '/') ? hst_strdup(file, err) : hst_path_join(k->dir, file, err);
    return k->name && k->file ? 0 : HST_EMEM;
}

static int read_record(hst_downloaded *k, hst_err *err)
{
    uint8_t *text = NULL;
    size_t n = 0;
    int rc = 0;
    char *path = hst_path_join(k->dir, "record.json", err);
    if (!path)
        return HST_EMEM;
    if (hst_is_file(path)) {
        rc = hst_file_read(path, RECORD_MAX_BYTES, HST_EIO, &text, &n, err);
        json_t *o = rc == 0 ? hst_json_parse((const char *)text, n, "record.json", NULL) : NULL;
        rc = rc ? rc : fill(k, o, err);
        json_decref(o);
    }
    free(text);
    free(path);
    return rc;
}

int hst_downloaded_read(const hst_ctx *ctx, const char *name, hst_downloaded *out, hst_err *err)
{
    *out = (hst_downloaded){.dir = folder_of(ctx, name, err)};
    if (!out->dir)
        return ctx->cache_dir ? HST_EMEM : HST_EARG;
    return read_record(out, err);
}

int hst_downloaded_at(const char *dir, hst_downloaded *out, hst_err *err)
{
    *out = (hst_downloaded){.dir = hst_strdup(dir, err)};
    return out->dir ? read_record(out, err) : HST_EMEM;
}

int hst_downloaded_is_own(const hst_downloaded *k)
{
    size_t n = strlen(k->dir);
    return k->file && strncmp(k->file, k->dir, n) == 0 && k->file[n] == '/' &&
           !strchr(k->file + n + 1, '/');
}

int hst_downloaded_write(const hst_downloaded *k, hst_err *err)
{
    int rc = HST_EMEM;
    const char *file = hst_downloaded_is_own(k) ? hst_path_base(k->file) : k->file;
    char *path = hst_path_join(k->dir, "record.json", err);
    json_t *o = json_pack("{ss ss ss sI}", "name", k->name, "file", file, "sha256", k->sha256,
                          "bytes", (json_int_t)k->bytes);
    char *text = hst_json_write(o, JSON_SORT_KEYS | JSON_INDENT(1), NULL);
    if (!path || !text)
        rc = hst_fail(err, HST_EMEM, "out of memory, or a name that is not UTF-8: %s", k->file);
    else
        rc = hst_file_write(path, text, strlen(text), err);
    free(text);
    json_decref(o);
    free(path);
    return rc;
}

void hst_downloaded_clear(hst_downloaded *k)
{
    free(k->dir);
    free(k->name);
    free(k->file);
    *k = (hst_downloaded){0};
}

int hst_downloaded_lock(const hst_ctx *ctx, const hst_downloaded *k, hst_err *err)
{
    char *path = hst_path_join(k->dir, "lock", err);
    int fd = path ? hst_lock_take(ctx, path, err) : HST_EMEM;
    free(path);
    return fd;
}

/* ---- all of them ---- */

typedef struct records {
    hst_downloaded *k;
    size_t n, cap;
} records;

static int add(records *all, const char *top, const char *key, hst_err *err)
{
    hst_err why;
    if (all->n == all->cap) {
        hst_downloaded *more = hst_resize(all->k, all->cap * 2 + 16, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        all->k = more;
        all->cap = all->cap * 2 + 16;
    }
    hst_downloaded *k = &all->k[all->n];
    char *dir = hst_path_join(top, key, err);
    if (!dir)
        return HST_EMEM;
    if (hst_downloaded_at(dir, k, &why) == 0 && k->name)
        all->n++;
    else
        hst_downloaded_clear(k);
    free(dir);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hst_downloaded *)a)->name, ((const hst_downloaded *)b)->name);
}

int hst_downloaded_each(const hst_ctx *ctx, int (*fn)(void *arg, const hst_downloaded *k),
                        void *arg, hst_err *err)
{
    records all = {0};
    int rc = 0;
    char *top = downloads(ctx, err);
    if (!top)
        return ctx->cache_dir ? HST_EMEM : HST_EARG;
    DIR *d = opendir(top);
    for (struct dirent *e; rc == 0 && d && all.n < MAX_RECORDS && (e = readdir(d));)
        if (hst_is_hex(e->d_name, KEY))
            rc = add(&all, top, e->d_name, err);
    if (d)
        closedir(d);
    if (all.n)
        qsort(all.k, all.n, sizeof *all.k, by_name);
    for (size_t i = 0; rc == 0 && i < all.n; i++)
        rc = fn(arg, &all.k[i]);
    for (size_t i = 0; i < all.n; i++)
        hst_downloaded_clear(&all.k[i]);
    free(all.k);
    free(top);
    return rc;
}
