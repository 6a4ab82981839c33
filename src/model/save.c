/* save.c - a model -> its file. Equal models give equal bytes. */
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_META = 11, N_NUMBER = 2 + HST_NUMBER_ENDS }; /* content_sha256 is the last */

typedef struct image {
    hst_arena *arena; /* tensors and names */
    hst_tensor *tensor;
    size_t n;
    hst_meta_pair meta[N_META];
    char *json[N_META]; /* those of the values that are ours to free */
    size_t n_meta;
    double unknown[HST_UNKNOWN_NUMBERS], number[N_NUMBER];
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

/* Of a backbone in int8, what its products read. */
static int add_ranges(image *im, const char *prefix, const hst_backbone *b, hst_err *err)
{
    char name[HST_RANGE_NAME];
    int rc = 0;
    for (int i = 0; rc == 0 && i < hst_graph_n_nodes(b->graph); i++) {
        if (!hst_backbone_range_name(b, i, name))
            continue;
        const hst_param p = {.name = name, .n_dims = 1, .dim = {2}, .data = &b->ranges[i].least};
        rc = add_tensor(im, prefix, &p, err);
    }
    return rc;
}

/* What stands in front of the names of a branch's tensors. */
static void prefix_of(int branch, char prefix[24])
{
    if (branch)
        snprintf(prefix, 24, "backbone%d/", branch + 1);
    else
        snprintf(prefix, 24, "backbone/");
}

/* What is kept of photos to know unknown ones by. */
static void add_unknown(image *im, const hst_unknown *u)
{
    double *v = im->unknown;
    memcpy(v, u->mean, sizeof u->mean);
    memcpy(v + HST_N_STRANGE, u->deviation, sizeof u->deviation);
    v[2 * HST_N_STRANGE] = u->threshold;
    v[2 * HST_N_STRANGE + 1] = u->rate;
    const hst_tensor add[] = {{.name = "unknown/label",
                               .dtype = HST_I32,
                               .n_dims = 1,
                               .dim = {(int64_t)u->n},
                               .data = u->label,
                               .n_bytes = u->n * sizeof *u->label},
                              {.name = "unknown/numbers",
                               .dtype = HST_F64,
                               .n_dims = 1,
                               .dim = {HST_UNKNOWN_NUMBERS},
                               .data = v,
                               .n_bytes = sizeof im->unknown},
                              {.name = "unknown/root",
                               .dtype = HST_I8,
                               .n_dims = 2,
                               .dim = {(int64_t)u->n, u->dim},
                               .data = u->root,
                               .n_bytes = u->n * (size_t)u->dim}};
    for (size_t i = 0; i < sizeof add / sizeof *add; i++)
        im->tensor[im->n++] = add[i];
}

/* What a head has that does not tell one class. */
static int add_target(image *im, const hst_model *m, hst_err *err)
{
    hst_param threshold = {
        .name = "threshold", .n_dims = 1, .dim = {m->n_classes}, .data = m->threshold};
    if (m->target == HST_TARGET_LABELS)
        return add_tensor(im, "head/", &threshold, err);
    if (m->target == HST_TARGET_CLASS)
        return 0;
    im->number[0] = m->number.least;
    im->number[1] = m->number.most;
    memcpy(im->number + 2, m->number.ends, sizeof m->number.ends);
    im->tensor[im->n++] = (hst_tensor){.name = "head/number",
                                       .dtype = HST_F64,
                                       .n_dims = 1,
                                       .dim = {N_NUMBER},
                                       .data = im->number,
                                       .n_bytes = sizeof im->number};
    return 0;
}

static int add_tensors(image *im, const hst_model *m, hst_err *err)
{
    const hst_extractor *e = m->extractor;
    size_t n = 7;
    for (int k = 0; k < e->n_branches; k++)
        n += hst_graph_n_params(e->branch[k].backbone->graph) +
             (size_t)hst_graph_n_nodes(e->branch[k].backbone->graph);
    hst_param kernel = {
        .name = "kernel", .n_dims = 2, .dim = {m->dim, m->n_classes}, .data = m->kernel};
    hst_param bias = {.name = "bias", .n_dims = 1, .dim = {m->n_classes}, .data = m->bias};
    im->arena = hst_arena_new(err);
    if (!im->arena)
        return HST_EMEM;
    im->tensor = hst_arena_alloc(im->arena, n, sizeof *im->tensor, err);
    int rc = im->tensor ? 0 : HST_EMEM;
    for (int k = 0; k < e->n_branches; k++) {
        const hst_graph *g = e->branch[k].backbone->graph;
        char prefix[24];
        prefix_of(k, prefix);
        for (size_t i = 0; rc == 0 && i < hst_graph_n_params(g); i++)
            rc = add_tensor(im, prefix, hst_graph_param(g, i), err);
        rc = rc ? rc : add_ranges(im, prefix, e->branch[k].backbone, err);
    }
    if (rc == 0)
        rc = add_tensor(im, "head/", &kernel, err);
    if (rc == 0)
        rc = add_tensor(im, "head/", &bias, err);
    if (rc == 0)
        rc = add_target(im, m, err);
    if (rc == 0 && m->unknown)
        add_unknown(im, m->unknown);
    if (rc == 0 && m->n_seen)
        im->tensor[im->n++] = (hst_tensor){.name = "seen",
                                           .dtype = HST_I64,
                                           .n_dims = 1,
                                           .dim = {(int64_t)m->n_seen},
                                           .data = m->seen,
                                           .n_bytes = m->n_seen * sizeof *m->seen};
    return rc;
}

static json_t *norm_list(const float x[3])
{
    return json_pack("[fff]", (double)x[0], (double)x[1], (double)x[2]);
}

/* The fields of a squash by bilinear interpolation are not written: they are what absence means. */
static json_t *prepare_object(const hst_prep *p)
{
    json_t *o = json_pack("{s:s, s:o, s:o}", "contract", hst_resampler_name(p->resampler), "mean",
                          norm_list(p->norm.mean), "std", norm_list(p->norm.std));
    int bad = !o || hst_size_write(p->size, "image", o);
    if (!bad && p->interpolation != HST_BILINEAR)
        bad = json_object_set_new(o, "interpolation",
                                  json_string(hst_interpolation_name(p->interpolation)));
    if (!bad && p->geometry != HST_SQUASH)
        bad = json_object_set_new(o, "geometry", json_string(hst_geometry_name(p->geometry)));
    if (!bad && hst_prep_crops(p))
        bad = hst_size_write(p->resize, "resize", o);
    if (!bad && p->mirror)
        bad = json_object_set_new(o, "mirror", json_true());
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

static char *prepare_json(const hst_model *m, hst_err *err)
{
    return hst_json_dump(prepare_object(&m->extractor->branch[0].view[0].prep), err);
}

static json_t *source_object(const hst_backbone *b)
{
    char name[sizeof b->source]; /* a file name may be any bytes */
    hst_printable(name, sizeof name, b->source);
    json_t *o = json_pack("{s:s, s:s}", "name", name, "sha256", b->sha256);
    if (!o || !*b->arch.licence ||
        json_object_set_new(o, "licence", json_string(b->arch.licence)) == 0)
        return o;
    json_decref(o);
    return NULL;
}

static char *source_json(const hst_model *m, hst_err *err)
{
    return hst_json_dump(source_object(m->extractor->branch[0].backbone), err);
}

static json_t *branch_object(const hst_branch *b, int number, hst_err *err)
{
    char prefix[24], *arch = hst_arch_json(&b->backbone->arch, err);
    json_t *views = json_array();
    prefix_of(number, prefix);
    for (int i = 0; views && i < b->n_views; i++)
        if (json_array_append_new(views, prepare_object(&b->view[i].prep)) != 0) {
            json_decref(views);
            views = NULL;
        }
    json_t *o = arch && views ? json_pack("{s:s, s:o, s:s, s:s, s:O}", "arch", arch, "source",
                                          source_object(b->backbone), "transform",
                                          hst_transform_names[b->transform], "weights", prefix,
                                          "views", views)
                              : NULL;
    json_decref(views);
    free(arch);
    return o;
}

static char *branches_json(const hst_model *m, hst_err *err)
{
    json_t *list = json_array();
    for (int k = 0; list && k < m->extractor->n_branches; k++)
        if (json_array_append_new(list, branch_object(&m->extractor->branch[k], k, err)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return hst_json_dump(list, err);
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

/* Whether all that its backbones see are squares. */
static int has_squares(const hst_model *m)
{
    const hst_view *v;
    int squares = 1;
    for (int k = 0; k < m->extractor->n_branches; k++)
        squares &= hst_size_is_square(m->extractor->branch[k].backbone->arch.size);
    for (int i = 0; (v = hst_extractor_view(m->extractor, i, NULL, NULL)); i++)
        squares &= hst_size_is_square(v->prep.size);
    return squares;
}

/* The oldest version that has all of it. */
static const char *version_of(const hst_model *m)
{
    if (hst_model_precision(m) != HST_PRECISION_FP32 || !has_squares(m))
        return HST_MODEL_VERSION_VARIANT;
    if (m->target != HST_TARGET_CLASS)
        return HST_MODEL_VERSION_TARGET;
    if (m->n_seen || m->unknown)
        return HST_MODEL_VERSION_FURTHER;
    return hst_model_plain(m) ? HST_MODEL_VERSION : HST_MODEL_VERSION_BRANCHES;
}

static int add_meta(image *im, const hst_model *m, hst_err *err)
{
    const int plain = hst_model_plain(m) != NULL;
    char *json[] = {hst_arch_json(&m->extractor->branch[0].backbone->arch, err),
                    prepare_json(m, err),
                    labels_json(m, err),
                    source_json(m, err),
                    record_json(m, err),
                    plain ? NULL : branches_json(m, err)};
    static const char *const key[] = {"arch", "prepare", "labels", "source", "record", "branches"};
    const size_t n = sizeof json / sizeof *json - (size_t)plain;
    int rc = 0;
    im->meta[im->n_meta++] = (hst_meta_pair){"format", HST_MODEL_FORMAT};
    im->meta[im->n_meta++] = (hst_meta_pair){"format_version", version_of(m)};
    if (m->target != HST_TARGET_CLASS)
        im->meta[im->n_meta++] = (hst_meta_pair){"target", hst_target_names[m->target]};
    if (hst_model_precision(m) != HST_PRECISION_FP32)
        im->meta[im->n_meta++] =
            (hst_meta_pair){"precision", hst_precision_names[hst_model_precision(m)]};
    for (size_t i = 0; i < n; i++) {
        im->json[i] = json[i];
        im->meta[im->n_meta++] = (hst_meta_pair){key[i], json[i]};
        if (!json[i])
            rc = HST_EMEM;
    }
    return rc;
}

/* n numbers; null for those that JSON does not have. */
static char *numbers_json(const double *x, size_t n, hst_err *err)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, isfinite(x[i]) ? json_real(x[i]) : json_null()) != 0) {
            json_decref(list);
            list = NULL;
        }
    return hst_json_dump(list, err);
}

/* What a head tells beside its weights: thresholds of labels; of a number its range and ends. */
static char *head_json(const hst_model *m, hst_err *err)
{
    const size_t n = m->threshold ? (size_t)m->n_classes : N_NUMBER;
    double *x = hst_alloc(n, sizeof *x, err);
    char *text = NULL;
    for (size_t c = 0; x && m->threshold && c < n; c++)
        x[c] = (double)m->threshold[c];
    if (x && !m->threshold) {
        x[0] = m->number.least;
        x[1] = m->number.most;
        memcpy(x + 2, m->number.ends, sizeof m->number.ends);
    }
    text = x ? numbers_json(x, n, err) : NULL;
    free(x);
    return text;
}

char *hst_model_facts(const hst_model *m, hst_err *err)
{
    char *const json[] = {hst_arch_json(&m->extractor->branch[0].backbone->arch, err),
                          prepare_json(m, err),
                          labels_json(m, err),
                          source_json(m, err),
                          record_json(m, err),
                          head_json(m, err)};
    static const char *const key[] = {"arch", "prepare", "labels", "source", "record", "head"};
    json_t *o = json_pack("{s:s, s:s}", "exported", HST_MODEL_EXPORTED, "target",
                          hst_target_names[m->target]);
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        if (o && (!json[i] || json_object_set_new(o, key[i], json_string(json[i])))) {
            json_decref(o);
            o = NULL;
        }
        free(json[i]);
    }
    return hst_json_dump(o, err);
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
    if (m->n_hidden)
        return hst_fail(err, HST_EUNSUP,
                        "a model with layers between the features and the head has no model file");
    int rc = image_make(&im, m, err);
    if (rc == 0)
        rc = hst_tensors_write(path, im.tensor, im.n, im.meta, im.n_meta, err);
    image_clear(&im);
    return rc;
}
