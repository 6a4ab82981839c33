/* save.c - a model -> its file. Equal models give equal bytes. */
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

enum { N_META = 8 }; /* content_sha256 is the last */

typedef struct image {
    hst_arena *arena; /* tensors and names */
    hst_tensor *tensor;
    size_t n;
    hst_meta_pair meta[N_META];
    char *json[N_META]; /* those of the values that are ours to free */
    size_t n_meta;
    char digest[65];
} image;

static void image_clear(image *im)
{
    for (size_t i = 0; i < N_META; i++)
        free(im->json[i]);
    hst_arena_free(im->arena);
}

static int add_tensor(image *im, const char *prefix, const hst_param *p, hst_err *err)
{
    size_t np = strlen(prefix), nn = strlen(p->name) + 1;
    char *name = hst_arena_alloc(im->arena, np + nn, 1, err);
    if (!name)
        return HST_EMEM;
    memcpy(name, prefix, np);
    memcpy(name + np, p->name, nn);
    hst_tensor *t = &im->tensor[im->n++];
    *t = (hst_tensor){.name = name, .dtype = HST_F32, .n_dims = p->n_dims, .data = p->data};
    for (int i = 0; i < p->n_dims; i++)
        t->dim[i] = p->dim[i];
    t->n_bytes = hst_param_count(p) * sizeof(float);
    return 0;
}

static int add_tensors(image *im, const hst_model *m, hst_err *err)
{
    const hst_graph *g = m->backbone->graph;
    size_t n = hst_graph_n_params(g);
    hst_param kernel = {
        .name = "kernel", .n_dims = 2, .dim = {m->dim, m->n_classes}, .data = m->kernel};
    hst_param bias = {.name = "bias", .n_dims = 1, .dim = {m->n_classes}, .data = m->bias};
    im->arena = hst_arena_new(err);
    if (!im->arena)
        return HST_EMEM;
    im->tensor = hst_arena_alloc(im->arena, n + 2, sizeof *im->tensor, err);
    int rc = im->tensor ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_tensor(im, "backbone/", hst_graph_param(g, i), err);
    if (rc == 0)
        rc = add_tensor(im, "head/", &kernel, err);
    if (rc == 0)
        rc = add_tensor(im, "head/", &bias, err);
    return rc;
}

static json_t *norm_list(const float x[3])
{
    return json_pack("[fff]", (double)x[0], (double)x[1], (double)x[2]);
}

/* The fields of a squash by bilinear interpolation are not written: they are what absence means. */
static char *prepare_json(const hst_model *m, hst_err *err)
{
    const hst_prep *p = &m->prep;
    json_t *o =
        json_pack("{s:s, s:i, s:o, s:o}", "contract", hst_resampler_name(p->resampler), "image_px",
                  p->px, "mean", norm_list(p->norm.mean), "std", norm_list(p->norm.std));
    int bad = !o;
    if (!bad && p->interpolation != HST_BILINEAR)
        bad = json_object_set_new(o, "interpolation",
                                  json_string(hst_interpolation_name(p->interpolation)));
    if (!bad && p->geometry != HST_SQUASH)
        bad = json_object_set_new(o, "geometry", json_string(hst_geometry_name(p->geometry))) ||
              json_object_set_new(o, "resize_px", json_integer(p->resize_px));
    if (bad) {
        json_decref(o);
        o = NULL;
    }
    return hst_json_dump(o, err);
}

static char *source_json(const hst_model *m, hst_err *err)
{
    char name[sizeof m->backbone->source]; /* a file name may be any bytes */
    hst_printable(name, sizeof name, m->backbone->source);
    return hst_json_dump(json_pack("{s:s, s:s}", "name", name, "sha256", m->backbone->sha256), err);
}

static char *labels_json(const hst_model *m, hst_err *err)
{
    json_t *list = json_array();
    for (int i = 0; list && i < m->n_classes; i++)
        if (json_array_append_new(list, json_string(m->labels[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return hst_json_dump(list, err);
}

static char *record_json(const hst_model *m, hst_err *err)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < m->n_record; i++)
        if (json_object_set_new(o, m->record[i].key, json_string(m->record[i].value)) != 0) {
            json_decref(o);
            o = NULL;
        }
    return hst_json_dump(o, err);
}

static int add_meta(image *im, const hst_model *m, hst_err *err)
{
    char *json[] = {hst_arch_json(&m->backbone->arch, err), prepare_json(m, err),
                    labels_json(m, err), source_json(m, err), record_json(m, err)};
    static const char *const key[] = {"arch", "prepare", "labels", "source", "record"};
    int rc = 0;
    im->meta[im->n_meta++] = (hst_meta_pair){"format", HST_MODEL_FORMAT};
    im->meta[im->n_meta++] = (hst_meta_pair){"format_version", HST_MODEL_VERSION};
    for (size_t i = 0; i < sizeof json / sizeof *json; i++) {
        im->json[i] = json[i];
        im->meta[im->n_meta++] = (hst_meta_pair){key[i], json[i]};
        if (!json[i])
            rc = HST_EMEM;
    }
    return rc;
}

/* What the file holds, and the digest over it. Ended by image_clear, also after a failure. */
static int image_make(image *im, const hst_model *m, hst_err *err)
{
    int rc = add_tensors(im, m, err);
    if (rc == 0)
        rc = add_meta(im, m, err);
    if (rc == 0)
        rc = hst_tensors_digest(im->tensor, im->n, im->meta, im->n_meta, "content_sha256",
                                im->digest, err);
    if (rc == 0)
        im->meta[im->n_meta++] = (hst_meta_pair){"content_sha256", im->digest};
    return rc;
}

int hst_model_seal(hst_model *m, hst_err *err)
{
    image im = {0};
    int rc = image_make(&im, m, err);
    if (rc == 0)
        memcpy(m->content_sha256, im.digest, sizeof im.digest);
    image_clear(&im);
    return rc;
}

int hst_model_save(const hst_model *m, const char *path, hst_err *err)
{
    image im = {0};
    int rc = image_make(&im, m, err);
    if (rc == 0)
        rc = hst_tensors_write(path, im.tensor, im.n, im.meta, im.n_meta, err);
    image_clear(&im);
    return rc;
}
