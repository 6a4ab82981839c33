/* open.c - a model by the name of a file or folder: one of ours, or what another program wrote. */
#include "base/file.h"
#include "base/sized.h"
#include "base/str.h"
#include "hub/converted.h"
#include "model/foreign.h"
#include "model/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a model file, which says all of it. */
static int check_opts(const hst_model_opts *o, hst_err *err)
{
    if (!o->labels && !o->scaling && !o->prepare)
        return 0;
    return hst_fail(err, HST_EARG,
                    "a model file says how it sees and what it names: give no other labels, "
                    "scaling or preparation");
}

static int is_ours(const hst_tensors *t)
{
    const char *format = hst_tensors_meta(t, "format");
    return format && strcmp(format, HST_MODEL_FORMAT) == 0;
}

/* A file that goes by one of these names, or begins as archives, HDF5 and TFLite do, or as ONNX and
 * cannot be safetensors, whose header then had 2^56 bytes or more, is read by the import helper. */
static int is_foreign(const char *path)
{
    static const char *const endings[] = {".bin", ".h5",  ".hdf5", ".json", ".keras",  ".onnx",
                                          ".pt",  ".pth", ".tgz",  ".gz",   ".tflite", ".zip"};
    char head[8] = {0};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(path, endings[i]))
            return 1;
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return n == sizeof head && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "\x89HDF", 4) == 0 ||
                                memcmp(head + 4, "TFL3", 4) == 0 || (head[0] == 8 && head[7]));
}

/* The model; NULL with *foreign: the file is not one of ours. */
static hst_model *load_own(hst_ctx *ctx, const char *path, const hst_model_opts *o, int *foreign,
                           hst_err *err)
{
    hst_tensors *t = hst_tensors_read(path, err);
    hst_model *m = NULL;
    if (!t)
        return NULL;
    *foreign = !is_ours(t) && hst_tensors_find(t, "head/kernel") == NULL;
    if (!*foreign && check_opts(o, err) == 0)
        m = hst_model_read(ctx, t, err);
    if (!m && !*foreign)
        (void)hst_err_at(err, path);
    hst_tensors_free(t);
    return m;
}

static hst_model *load_file(hst_ctx *ctx, const char *path, const hst_model_opts *o, hst_err *err)
{
    int foreign = hst_is_file(path) && is_foreign(path);
    hst_model *m = foreign ? NULL : load_own(ctx, path, o, &foreign, err);
    if (!foreign)
        return m;
    const char *base = hst_path_base(path);
    char *folder = hst_path_join(base == path ? "." : "", path, err);
    if (folder)
        folder[strlen(folder) - strlen(base)] = 0;
    if (folder && strcmp(base, "model.safetensors") == 0 && hst_converted_is_folder(folder))
        path = folder; /* where its config.json says more */
    m = folder ? hst_foreign_load(ctx, path, o, err) : NULL;
    free(folder);
    return m;
}

static hst_model *load_folder(hst_ctx *ctx, const char *path, const hst_model_opts *o, hst_err *err)
{
    if (hst_converted_is_folder(path))
        return hst_foreign_load(ctx, path, o, err);
    char *file = hst_path_join(path, "model.safetensors", err);
    hst_model *m = NULL;
    if (file && hst_is_file(file))
        m = load_file(ctx, file, o, err);
    else if (file)
        hst_fail(err, HST_EMODEL,
                 "%s: a folder without model.safetensors, which the folder of a run has", path);
    free(file);
    return m;
}

static const hst_sized sized = HST_SIZED(hst_model_opts, prepare);

void hst_model_opts_init(hst_model_opts *o, size_t size)
{
    hst_sized_init(&sized, &(hst_model_opts){0}, o, size);
}

hst_model *hst_model_load_with(hst_ctx *ctx, const char *path, const hst_model_opts *opts,
                               hst_err *err)
{
    hst_model_opts o = {0};
    if (hst_sized_read(&sized, &o, opts, err))
        return NULL;
    return hst_is_dir(path) ? load_folder(ctx, path, &o, err) : load_file(ctx, path, &o, err);
}

hst_model *hst_model_load(hst_ctx *ctx, const char *path, hst_err *err)
{
    return hst_model_load_with(ctx, path, NULL, err);
}
