#include "hub/converted.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "formats/convert.h"
#include "formats/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *hst_converted_path(const hst_ctx *ctx, const char *sha256, hst_err *err)
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

int hst_converted_check(hst_weight_file *f, const hst_catalog_entry *k, hst_err *err)
{
    char whole[65], tensors[65];
    hst_err why = {0};
    hst_tensors *t = hst_tensors_read(f->path, &why);
    if (!t)
        return hst_fail(err, why.code == HST_EMODEL ? HST_EHASH : why.code, "%s", why.msg);
    int rc = hst_tensors_digests(t, "content_sha256", whole, tensors, err);
    if (rc == 0 && (differs(hst_tensors_meta(t, "content_sha256"), whole) ||
                    differs(hst_tensors_meta(t, "source_sha256"), f->sha256) ||
                    (k && differs(tensors, k->tensors_sha256))))
        rc = hst_fail(err, HST_EHASH, "%s is not what was put into the cache: remove it", f->path);
    if (rc == 0 && !hst_convert_is_current(t))
        rc = hst_fail(err, HST_EHASH, "%s was made by another headstart-convert: remove it",
                      f->path);
    if (rc) {
        hst_tensors_free(t);
        return rc;
    }
    hst_tensors_free(f->tensors);
    f->tensors = t;
    return 0;
}

int hst_converted_make(const hst_ctx *ctx, const char *source, hst_weight_file *f,
                       const hst_catalog_entry *k, hst_err *err)
{
    enum { TRIES = 3 };
    int rc = HST_EIO;
    for (int i = 0; rc && i < TRIES; i++) {
        rc = hst_convert(ctx, source, f->path, err);
        if (rc)
            return rc;
        rc = hst_converted_check(f, k, err);
        if (hst_is_file(f->path)) /* else somebody has taken it out of the cache meanwhile */
            break;
    }
    if (rc)
        unlink(f->path); /* the source changed meanwhile, or the helper is not ours */
    return rc;
}

int hst_converted_usable(const hst_ctx *ctx, hst_weight_file *f, const hst_catalog_entry *k)
{
    hst_err why = {0};
    if (!hst_is_file(f->path))
        return 0;
    if (hst_converted_check(f, k, &why) == 0)
        return 1;
    if (why.code == HST_EHASH && !ctx->offline) { /* offline it stays, for verify to see */
        hst_log(ctx, HST_LOG_WARN, "damaged in the cache or outdated, to be made again: %s",
                why.msg);
        unlink(f->path);
    }
    return 0;
}

static void set_base(hst_weight_file *f, const char *path)
{
    snprintf(f->base, sizeof f->base, "%s", hst_path_base(path));
}

/* A file of the one format that is read as it is. */
static int find_safetensors(const char *path, hst_weight_file *f, hst_err *err)
{
    f->path = hst_strdup(path, err);
    set_base(f, path);
    return f->path ? hst_sha256_file(path, f->sha256, err) : HST_EMEM;
}

static int find_foreign(hst_ctx *ctx, const char *path, hst_weight_file *f, hst_err *err)
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
    f->path = hst_converted_path(ctx, f->sha256, err);
    if (!f->path)
        return err ? err->code : HST_EARG;
    if (hst_converted_usable(ctx, f, NULL))
        return 0;
    char *dir = hst_path_join(ctx->cache_dir, "backbones", err);
    rc = dir ? hst_mkdirs(dir, err) : HST_EMEM;
    free(dir);
    if (rc)
        return rc;
    hst_log(ctx, HST_LOG_INFO, "importing %s", path);
    return hst_converted_make(ctx, path, f, NULL, err);
}

static int has_file(const char *dir, const char *name)
{
    char *path = hst_path_join(dir, name, NULL);
    const int is = path && hst_is_file(path);
    free(path);
    return is;
}

/* 1 when the folder is a network in a format that the import helper reads, or is what one of
 * Teachable Machine's archives unpacks to. */
static int is_foreign_folder(const char *dir)
{
    static const char *const files[] = {"saved_model.pb",
                                        "model.json",
                                        "keras_model.h5",
                                        "model_unquant.tflite",
                                        "model.savedmodel/saved_model.pb",
                                        "model.weights.h5"};
    int is = has_file(dir, "labels.txt") && has_file(dir, "model.tflite");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        is |= has_file(dir, files[i]);
    return is && !has_file(dir, "model.safetensors"); /* else a run's, with an export beside it */
}

int hst_converted_is_folder(const char *dir)
{
    return is_foreign_folder(dir) ||
           (has_file(dir, "config.json") &&
            (has_file(dir, "model.safetensors") || has_file(dir, "model.safetensors.index.json") ||
             has_file(dir, "pytorch_model.bin")));
}

static int find_file(hst_ctx *ctx, const char *path, hst_weight_file *f, hst_err *err)
{
    return hst_ends_with(path, ".safetensors") ? find_safetensors(path, f, err)
                                               : find_foreign(ctx, path, f, err);
}

/* Weights as Hugging Face's libraries name them and their config.json, or a folder in a foreign
 * format. */
static int find_folder(hst_ctx *ctx, const char *dir, hst_weight_file *f, hst_err *err)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin"};
    enum { N_NAMES = sizeof names / sizeof *names };
    char *config = hst_path_join(dir, "config.json", err), *path = NULL;
    int rc = config ? 0 : HST_EMEM, is = 0;
    for (int i = 0; i < N_NAMES && rc == 0 && !is; i++) {
        free(path);
        path = hst_path_join(dir, names[i], err);
        rc = path ? 0 : HST_EMEM;
        is = rc == 0 && hst_is_file(path);
    }
    if (rc == 0 && is && hst_is_file(config)) {
        f->config = config;
        config = NULL;
        rc = find_file(ctx, path, f, err);
    } else if (rc == 0 && is_foreign_folder(dir)) {
        rc = find_foreign(ctx, dir, f, err);
    } else if (rc == 0) {
        rc = hst_fail(err, HST_EMODEL,
                      "%s: a backbone's folder holds model.safetensors (or pytorch_model.bin) and "
                      "config.json; %s is missing",
                      dir, is ? "config.json" : "model.safetensors");
    }
    free(path);
    free(config);
    return rc;
}

int hst_converted_local(hst_ctx *ctx, const char *path, hst_weight_file *f, hst_err *err)
{
    if (hst_is_dir(path))
        return find_folder(ctx, path, f, err);
    if (!hst_is_file(path))
        return hst_fail(err, HST_EMODEL, "%s is not a regular file", path);
    return find_file(ctx, path, f, err);
}

void hst_weight_file_clear(hst_weight_file *f)
{
    free(f->path);
    free(f->config);
    hst_tensors_free(f->tensors);
    *f = (hst_weight_file){0};
}
