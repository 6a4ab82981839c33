/* load.c - a model file -> a model. Whatever the bytes are: a model as it was saved, or a reason.
 */
#include "model/load.h"
#include "backbones/norms.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/finite.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "hub/catalog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* *branches: the file lists several backbones or views. */
static int check_format(const hst_tensors *t, int *branches, hst_err *err)
{
    const char *format = hst_tensors_meta(t, "format");
    const char *version = hst_tensors_meta(t, "format_version");
    if (!format || strcmp(format, HST_MODEL_FORMAT) != 0)
        return hst_fail(err, HST_EMODEL,
                        "not a headstart model (expected one that headstart train wrote)");
    const int variant = version && strcmp(version, HST_MODEL_VERSION_VARIANT) == 0;
    const int further = version && (strcmp(version, HST_MODEL_VERSION_FURTHER) == 0 ||
                                    strcmp(version, HST_MODEL_VERSION_TARGET) == 0 || variant);
    *branches = version && strcmp(version, HST_MODEL_VERSION_BRANCHES) == 0;
    if (further)
        *branches = hst_tensors_meta(t, "branches") != NULL;
    else if (!*branches && (!version || strcmp(version, HST_MODEL_VERSION) != 0))
        return hst_fail(err, HST_EMODEL,
                        "model format version %s, expected %s to %s; use the program that wrote it",
                        version ? version : "missing", HST_MODEL_VERSION,
                        HST_MODEL_VERSION_VARIANT);
    if (hst_tensors_meta(t, "precision") && !variant)
        return hst_fail(err, HST_EMODEL, "a precision, which version 5 begins with");
    return 0;
}

static int check_whole(const hst_tensors *t, hst_err *err)
{
    char digest[65];
    const char *want = hst_tensors_meta(t, "content_sha256");
    int rc = hst_tensors_digest_of(t, "content_sha256", digest, err);
    if (rc == 0 && (!want || strcmp(want, digest) != 0))
        rc = hst_fail(err, HST_EMODEL,
                      "the model file is damaged: its content has SHA-256 %s, "
                      "expected %s",
                      digest, want ? want : "one in the file");
    return rc;
}

const char *hst_read_meta(const hst_tensors *t, const char *key, hst_err *err)
{
    const char *text = hst_tensors_meta(t, key);
    if (!text)
        hst_fail(err, HST_EMODEL, "the model file has no '%s'", key);
    return text;
}

/* What a squash by bilinear interpolation does not need; absent: that. */
static int read_geometry(const json_t *o, hst_prep *p, hst_err *err)
{
    const char *name;
    int rc = 0;
    if (json_object_get(o, "interpolation")) {
        rc = hst_json_text(o, "interpolation", &name, err);
        if (rc == 0 && hst_interpolation_parse(name, &p->interpolation, NULL) != 0)
            rc = hst_fail(err, HST_EMODEL, "prepare: unknown interpolation '%s'", name);
    }
    if (rc || !json_object_get(o, "geometry"))
        return rc;
    rc = hst_json_text(o, "geometry", &name, err);
    if (rc == 0 && hst_geometry_parse(name, &p->geometry, NULL) != 0)
        rc = hst_fail(err, HST_EMODEL, "prepare: unknown geometry '%s'", name);
    if (rc || !hst_prep_crops(p))
        return rc;
    return hst_size_read(o, "resize", 1, 65536, &p->resize, err);
}

int hst_read_prepare(const json_t *o, hst_prep *out, hst_err *err)
{
    hst_prep p = {.mirror = json_is_true(json_object_get(o, "mirror"))};
    const char *resampler;
    int rc = hst_json_text(o, "contract", &resampler, err);
    if (rc == 0 && hst_resampler_parse(resampler, &p.resampler, NULL) != 0)
        rc = hst_fail(err, HST_EMODEL, "prepare: unknown contract '%s'", resampler);
    if (rc == 0)
        rc = hst_size_read(o, "image", 1, 65536, &p.size, err);
    if (rc == 0)
        rc = hst_pixel_norm_parse(o, &p.norm, err);
    if (rc == 0)
        rc = read_geometry(o, &p, err);
    if (rc == 0 && hst_prep_check(&p, err))
        rc = err ? (err->code = HST_EMODEL) : HST_EMODEL; /* the file's fault, not the caller's */
    if (rc == 0)
        *out = p;
    return rc;
}

/* Borrowed texts of a JSON list, in a block to be freed. */
static const char **list_texts(const json_t *list, hst_err *err)
{
    size_t n = json_array_size(list);
    if (n < 1 || n > HST_MAX_CLASSES) {
        hst_fail(err, HST_EMODEL, "%zu labels, expected 1 to %d", n, HST_MAX_CLASSES);
        return NULL;
    }
    const char **text = hst_alloc(n, sizeof *text, err);
    for (size_t i = 0; text && i < n; i++)
        if (!(text[i] = json_string_value(json_array_get(list, i)))) {
            hst_fail(err, HST_EMODEL, "label %zu is not a text", i);
            free(text);
            text = NULL;
        }
    return text;
}

/* ---- the extractor ---- */

int hst_read_source(const json_t *o, hst_backbone *b, hst_err *err)
{
    const char *name, *sha256;
    int rc = hst_json_text(o, "name", &name, err);
    if (rc == 0)
        rc = hst_json_text(o, "sha256", &sha256, err);
    if (rc == 0) {
        snprintf(b->source, sizeof b->source, "%s", name);
        snprintf(b->sha256, sizeof b->sha256, "%s", sha256);
        rc = hst_backbone_read_licence(o, &b->arch, err);
        hst_backbone_set_licence(b, hst_catalog_licence(sha256));
    }
    return rc;
}

/* Adds a backbone of the file, which the extractor owns. */
static int add_backbone(hst_extractor *e, hst_ctx *ctx, const hst_tensors *t, const char *arch_json,
                        const char *prefix, hst_err *err)
{
    hst_arch arch;
    enum hst_precision precision = HST_PRECISION_FP32;
    int rc = hst_arch_parse(arch_json, &arch, err);
    rc = rc ? rc : hst_backbone_precision(t, &precision, err);
    if (rc)
        return rc;
    hst_backbone *b = hst_backbone_from_tensors(ctx, &arch, t, prefix, precision, err);
    if (!b)
        return err && err->code ? err->code : HST_EMEM;
    if (precision == HST_PRECISION_INT8 && !b->ranges)
        rc = hst_fail(err, HST_EMODEL, "the model file has no ranges, which int8 needs");
    rc = rc ? rc : hst_extractor_add_branch(e, b, err);
    if (rc)
        hst_backbone_free(b);
    else
        e->branch[e->n_branches - 1].owned = b;
    return rc;
}

int hst_read_check_size(hst_size prepared, hst_size wanted, hst_err *err)
{
    char is[HST_SIZE_TEXT], want[HST_SIZE_TEXT];
    if (hst_size_equal(prepared, wanted))
        return 0;
    return hst_fail(err, HST_EMODEL, "pictures are prepared for %s pixels, the network wants %s",
                    hst_size_text(prepared, is), hst_size_text(wanted, want));
}

static int add_plain(hst_extractor *e, hst_ctx *ctx, const hst_tensors *t, hst_err *err)
{
    hst_prep prep;
    const char *arch = hst_read_meta(t, "arch", err),
               *prepare = arch ? hst_read_meta(t, "prepare", err) : NULL;
    const char *source = prepare ? hst_read_meta(t, "source", err) : NULL;
    int rc = source ? add_backbone(e, ctx, t, arch, "backbone/", err) : HST_EMODEL;
    json_t *p = rc ? NULL : hst_json_object(prepare, "prepare", err);
    json_t *o = p ? hst_json_object(source, "source", err) : NULL;
    if (rc == 0)
        rc = o ? hst_read_prepare(p, &prep, err) : HST_EMODEL;
    if (rc == 0)
        rc = hst_read_check_size(prep.size, e->branch[0].backbone->arch.size, err);
    if (rc == 0)
        rc = hst_extractor_add_view(e, ctx, &prep, err);
    if (rc == 0)
        rc = hst_read_source(o, e->branch[0].owned, err);
    json_decref(p);
    json_decref(o);
    return rc;
}

static int read_transform(const json_t *o, enum hst_transform *out, hst_err *err)
{
    const char *name;
    int rc = hst_json_text(o, "transform", &name, err);
    for (int i = 0; rc == 0 && hst_transform_names[i]; i++)
        if (strcmp(hst_transform_names[i], name) == 0) {
            *out = (enum hst_transform)i;
            return 0;
        }
    return rc ? rc : hst_fail(err, HST_EMODEL, "branches: unknown transform '%s'", name);
}

static int add_views(hst_extractor *e, const hst_ctx *ctx, const json_t *list, hst_err *err)
{
    const size_t n = json_array_size(list);
    int rc = n ? 0 : hst_fail(err, HST_EMODEL, "branches: a backbone without views");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        hst_prep prep;
        rc = hst_read_prepare(json_array_get(list, i), &prep, err);
        if (rc == 0)
            rc = hst_extractor_add_view(e, ctx, &prep, err);
    }
    return rc;
}

static int add_branch(hst_extractor *e, hst_ctx *ctx, const hst_tensors *t, const json_t *o,
                      hst_err *err)
{
    const char *arch, *prefix;
    int rc = hst_json_text(o, "arch", &arch, err);
    if (rc == 0)
        rc = hst_json_text(o, "weights", &prefix, err);
    if (rc == 0)
        rc = add_backbone(e, ctx, t, arch, prefix, err);
    if (rc)
        return rc;
    hst_branch *b = &e->branch[e->n_branches - 1];
    rc = read_transform(o, &b->transform, err);
    if (rc == 0)
        rc = hst_read_source(json_object_get(o, "source"), b->owned, err);
    return rc ? rc : add_views(e, ctx, json_object_get(o, "views"), err);
}

static int add_branches(hst_extractor *e, hst_ctx *ctx, const hst_tensors *t, hst_err *err)
{
    const char *text = hst_read_meta(t, "branches", err);
    json_t *list = text ? hst_json_list(text, "branches", err) : NULL;
    const size_t n = json_array_size(list);
    int rc = list ? 0 : HST_EMODEL;
    if (list && n == 0)
        rc = hst_fail(err, HST_EMODEL, "branches: an empty list");
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_branch(e, ctx, t, json_array_get(list, i), err);
    json_decref(list);
    return rc;
}

static hst_extractor *read_extractor(hst_ctx *ctx, const hst_tensors *t, int branches, hst_err *err)
{
    hst_extractor *e = hst_extractor_new(err);
    if (!e)
        return NULL;
    if ((branches ? add_branches(e, ctx, t, err) : add_plain(e, ctx, t, err)) == 0)
        return e;
    if (err && err->code == HST_EARG)
        err->code = HST_EMODEL; /* the file's fault, not the caller's */
    hst_extractor_free(e);
    return NULL;
}

/* ---- the rest ---- */

/* The model without its numbers; takes the extractor. */
hst_model *hst_read_shell(const hst_tensors *t, hst_extractor *e, hst_err *err)
{
    hst_model *m = NULL;
    const char *text = hst_read_meta(t, "labels", err);
    json_t *list = text ? hst_json_list(text, "labels", err) : NULL;
    const char **labels = list ? list_texts(list, err) : NULL;
    if (labels)
        m = hst_model_new(e, labels, (int)json_array_size(list), err);
    else
        hst_extractor_free(e);
    if (labels && !m && err && err->code == HST_EARG)
        err->code = HST_EMODEL;
    free(labels);
    json_decref(list);
    return m;
}

int hst_read_head(const hst_tensors *t, const char *name, int n_dims, const int64_t *dim,
                  float *out, hst_err *err)
{
    const hst_tensor *x = hst_tensors_find(t, name);
    if (!x || x->dtype != HST_F32 || x->n_dims != n_dims ||
        memcmp(x->dim, dim, (size_t)n_dims * sizeof *dim) != 0)
        return hst_fail(err, HST_EMODEL,
                        "tensor '%s' is missing or does not fit the labels and the network", name);
    memcpy(out, x->data, x->n_bytes);
    if (!hst_all_finite(out, x->n_bytes / sizeof *out))
        return hst_fail(err, HST_EMODEL, "tensor '%s' holds a value that is not a finite number",
                        name);
    return 0;
}

static const hst_tensor *find_typed(const hst_tensors *t, const char *name, enum hst_dtype dtype,
                                    int n_dims)
{
    const hst_tensor *x = hst_tensors_find(t, name);
    return x && x->dtype == dtype && x->n_dims == n_dims ? x : NULL;
}

/* What the head tells: version 4 says it, version 5 may. */
static int read_target(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const char *name = hst_tensors_meta(t, "target");
    const char *version = hst_tensors_meta(t, "format_version");
    enum hst_target target = HST_TARGET_CLASS;
    if (strcmp(version, HST_MODEL_VERSION_TARGET) == 0 && !(name = hst_read_meta(t, "target", err)))
        return HST_EMODEL;
    if (!name)
        return 0;
    if (strcmp(version, HST_MODEL_VERSION_TARGET) != 0 &&
        strcmp(version, HST_MODEL_VERSION_VARIANT) != 0)
        return hst_fail(err, HST_EMODEL, "a target, which version 4 begins with");
    if (strcmp(name, hst_target_names[HST_TARGET_LABELS]) == 0)
        target = HST_TARGET_LABELS;
    else if (strcmp(name, hst_target_names[HST_TARGET_NUMBER]) == 0)
        target = HST_TARGET_NUMBER;
    else
        return hst_fail(err, HST_EMODEL, "target '%s', expected labels or number", name);
    if (target == HST_TARGET_NUMBER && m->n_classes != 1)
        return hst_fail(err, HST_EMODEL, "%d labels of a number, expected one", m->n_classes);
    return hst_model_set_target(m, target, err);
}

static int read_thresholds(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const int64_t dim = m->n_classes;
    int rc = hst_read_head(t, "head/threshold", 1, &dim, m->threshold, err);
    for (int c = 0; rc == 0 && c < m->n_classes; c++)
        if (!(m->threshold[c] >= 0 && m->threshold[c] <= 1))
            rc = hst_fail(err, HST_EMODEL, "a threshold of %g is no probability",
                          (double)m->threshold[c]);
    return rc;
}

/* Range and ends: in order, none of them NaN. */
static int read_number(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const hst_tensor *x = find_typed(t, "head/number", HST_F64, 1);
    double v[2 + HST_NUMBER_ENDS];
    if (!x || x->n_bytes != sizeof v)
        return hst_fail(err, HST_EMODEL, "tensor 'head/number' is missing or of another type");
    memcpy(v, x->data, sizeof v);
    int fits = isfinite(v[0]) && isfinite(v[1]) && v[0] <= v[1] && !isnan(v[2]);
    for (int i = 3; i < 2 + HST_NUMBER_ENDS; i++)
        fits = fits && v[i - 1] <= v[i];
    if (!fits)
        return hst_fail(err, HST_EMODEL, "tensor 'head/number' makes no sense");
    m->number.least = v[0];
    m->number.most = v[1];
    memcpy(m->number.ends, v + 2, sizeof m->number.ends);
    return 0;
}

int hst_read_record(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const char *key, *text = hst_read_meta(t, "record", err);
    json_t *value, *o = text ? hst_json_object(text, "record", err) : NULL;
    int rc = o ? 0 : HST_EMODEL;
    json_object_foreach(o, key, value)
    {
        if (rc == 0 && !json_is_string(value))
            rc = hst_fail(err, HST_EMODEL, "record: '%s' is not a text", key);
        if (rc == 0)
            rc = hst_model_set_record(m, key, json_string_value(value), err);
    }
    json_decref(o);
    return rc;
}

/* Absent: it is not known what the model has learned from. */
static int read_seen(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const hst_tensor *x = hst_tensors_find(t, "seen");
    if (!x)
        return 0;
    if (x->dtype != HST_I64 || x->n_dims != 1)
        return hst_fail(err, HST_EMODEL, "tensor 'seen' is no list of whole numbers");
    int rc = hst_model_set_seen(m, x->data, hst_tensor_count(x), err);
    if (rc == 0 && (m->n_seen == 0 || m->n_seen != hst_tensor_count(x) ||
                    memcmp(m->seen, x->data, x->n_bytes) != 0))
        rc = hst_fail(err, HST_EMODEL, "tensor 'seen' is empty or not in order");
    return rc;
}

/* How many of the tensors of hst_unknown are there. */
static size_t n_unknown(const hst_tensors *t)
{
    static const char *const name[] = {"unknown/label", "unknown/numbers", "unknown/root"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        n += hst_tensors_find(t, name[i]) != NULL;
    return n;
}

/* Whether they are what hst_unknown has: values in range that make a score of any photo. */
static int unknown_fits(const hst_model *m, const hst_tensor *root, const hst_tensor *label,
                        const double *v)
{
    const int64_t n = root->dim[0];
    if (n < 1 || n > (int64_t)hst_unknown_most(m->dim) || root->dim[1] != m->dim ||
        label->dim[0] != n)
        return 0;
    for (size_t i = 0; i < root->n_bytes; i++)
        if (((const int8_t *)root->data)[i] == INT8_MIN)
            return 0;
    for (int64_t i = 0; i < n; i++)
        if (((const int32_t *)label->data)[i] < 0 ||
            ((const int32_t *)label->data)[i] >= m->n_classes)
            return 0;
    for (int i = 0; i < HST_UNKNOWN_NUMBERS; i++)
        if (!isfinite(v[i]) || fabs(v[i]) > 1e30)
            return 0;
    for (int i = 0; i < HST_N_STRANGE; i++) /* no smaller than training makes them */
        if (v[HST_N_STRANGE + i] != 0 && !(v[HST_N_STRANGE + i] > 1e-9))
            return 0;
    return v[HST_UNKNOWN_NUMBERS - 1] > 0 && v[HST_UNKNOWN_NUMBERS - 1] < 1;
}

/* Absent: the model cannot tell photos of no class. */
static int read_unknown(const hst_tensors *t, hst_model *m, hst_err *err)
{
    if (n_unknown(t) == 0)
        return 0;
    const hst_tensor *root = find_typed(t, "unknown/root", HST_I8, 2);
    const hst_tensor *label = find_typed(t, "unknown/label", HST_I32, 1);
    const hst_tensor *numbers = find_typed(t, "unknown/numbers", HST_F64, 1);
    double v[HST_UNKNOWN_NUMBERS];
    if (!root || !label || !numbers || numbers->n_bytes != sizeof v)
        return hst_fail(err, HST_EMODEL,
                        "the tensors 'unknown/...' are not all there or of other "
                        "types");
    memcpy(v, numbers->data, sizeof v);
    if (!unknown_fits(m, root, label, v))
        return hst_fail(err, HST_EMODEL, "the tensors 'unknown/...' do not fit the model");
    hst_unknown *u =
        hst_unknown_again(m->extractor, root->data, label->data, (size_t)root->dim[0], err);
    if (!u)
        return HST_EMEM;
    memcpy(u->mean, v, sizeof u->mean);
    memcpy(u->deviation, v + HST_N_STRANGE, sizeof u->deviation);
    u->threshold = v[2 * HST_N_STRANGE];
    u->rate = v[2 * HST_N_STRANGE + 1];
    m->unknown = u;
    return 0;
}

static size_t n_ranges(const hst_backbone *b)
{
    char name[HST_RANGE_NAME];
    size_t n = 0;
    for (int i = 0; i < hst_graph_n_nodes(b->graph); i++)
        n += (size_t)hst_backbone_range_name(b, i, name);
    return n;
}

static int read_rest(const hst_tensors *t, hst_model *m, hst_err *err)
{
    int64_t dim[2] = {m->dim, m->n_classes};
    int rc = read_target(t, m, err);
    if (rc)
        return rc;
    size_t want = 2 + (m->target != HST_TARGET_CLASS) + (hst_tensors_find(t, "seen") != NULL) +
                  (m->target == HST_TARGET_CLASS ? n_unknown(t) : 0);
    for (int k = 0; k < m->extractor->n_branches; k++)
        want += hst_graph_n_params(m->extractor->branch[k].backbone->graph) +
                n_ranges(m->extractor->branch[k].backbone);
    if (hst_tensors_count(t) != want)
        return hst_fail(err, HST_EMODEL, "%zu tensors, expected %zu", hst_tensors_count(t), want);
    rc = hst_read_head(t, "head/kernel", 2, dim, m->kernel, err);
    if (rc == 0)
        rc = hst_read_head(t, "head/bias", 1, dim + 1, m->bias, err);
    if (rc == 0)
        rc = read_seen(t, m, err);
    if (rc == 0 && m->target == HST_TARGET_LABELS)
        rc = read_thresholds(t, m, err);
    if (rc == 0 && m->target == HST_TARGET_NUMBER)
        rc = read_number(t, m, err);
    if (rc == 0 && m->target == HST_TARGET_CLASS)
        rc = read_unknown(t, m, err);
    if (rc == 0)
        rc = hst_read_record(t, m, err);
    if (rc == 0)
        snprintf(m->content_sha256, sizeof m->content_sha256, "%s",
                 hst_tensors_meta(t, "content_sha256"));
    return rc;
}

static hst_model *make_model(hst_ctx *ctx, const hst_tensors *t, int branches, hst_err *err)
{
    hst_extractor *e = read_extractor(ctx, t, branches, err);
    hst_model *m = e ? hst_read_shell(t, e, err) : NULL;
    if (!m || read_rest(t, m, err) == 0)
        return m;
    hst_model_free(m);
    return NULL;
}

typedef struct loading {
    hst_ctx *ctx;
    const hst_tensors *t;
    int branches;
    hst_model *m;
} loading;

/* The digest takes as long as all else: each is an item of a loop. Of two errors the first one
 * counts, so damage is told before what follows from it. */
static int load_part(void *arg, size_t part, int thread, hst_err *err)
{
    loading *l = arg;
    (void)thread;
    if (part == 0)
        return check_whole(l->t, err);
    l->m = make_model(l->ctx, l->t, l->branches, err);
    return l->m ? 0 : err->code;
}

hst_model *hst_model_read(hst_ctx *ctx, const hst_tensors *t, hst_err *err)
{
    loading l = {.ctx = ctx, .t = t};
    if (check_format(t, &l.branches, err))
        return NULL;
    if (hst_executor_try(ctx->executor, 2, load_part, &l, err) == 0)
        return l.m;
    hst_model_free(l.m);
    return NULL;
}
