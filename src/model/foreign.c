/* foreign.c - the file of another program -> a model: its backbone is imported as any, the layers
 * behind it are the file's, and what it does not say is taken for granted aloud. */
#include "model/foreign.h"
#include "backbones/cnn.h"
#include "backbones/facts.h"
#include "backbones/probed.h"
#include "backbones/recognise.h"
#include "backbones/vit.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "formats/convert.h"
#include "formats/labels.h"
#include "hub/converted.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is known of the file on its way to a model. */
typedef struct foreign {
    hst_ctx *ctx;
    const char *path;
    const hst_model_opts *opts;
    hst_weight_file file;
    hst_tensors *t;
    json_t *config; /* config.json of a folder, or inside the file; NULL: there is none */
    hst_classifier classifier;
    json_t *labels;      /* NULL: none are known */
    char labels_of[256]; /* where they are from */
    enum hst_target target;
    char format[64], preparation[32], assumed[96];
} foreign;

/* ---- opened ---- */

/* A file that an older helper has converted may say nothing of its classifier. */
static int open_file(foreign *f, hst_err *err)
{
    for (int again = 0; again < 2; again++) {
        int rc = hst_converted_local(f->ctx, f->path, &f->file, err);
        if (rc)
            return rc;
        f->t = f->file.tensors ? f->file.tensors : hst_tensors_read(f->file.path, err);
        f->file.tensors = NULL;
        const char *by = f->t ? hst_tensors_meta(f->t, "converter") : NULL;
        if (!f->t || !by || strcmp(by, HST_CONVERT_VERSION) == 0)
            return f->t ? 0 : err->code;
        unlink(f->file.path);
        hst_tensors_free(f->t);
        f->t = NULL;
        hst_weight_file_clear(&f->file);
    }
    return hst_fail(err, HST_EPROC, "%s is of another version", HST_CONVERT_HELPER);
}

/* The JSON file at path; NULL without an error where it is none. */
static json_t *read_json(const char *path)
{
    enum { MOST = 4 << 20 };
    uint8_t *bytes = NULL;
    size_t n = 0;
    json_t *o = NULL;
    if (path && hst_is_file(path) && hst_file_read(path, MOST, HST_EMODEL, &bytes, &n, NULL) == 0)
        o = hst_json_parse((const char *)bytes, n, path, NULL);
    free(bytes);
    return o;
}

/* ---- labels ---- */

static int read_labels(foreign *f, const char *path, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = hst_file_read(path, HST_LABELS_MOST_BYTES, HST_EMODEL, &bytes, &n, err);
    json_t *list = rc ? NULL : hst_labels_parse((const char *)bytes, n, path, err);
    free(bytes);
    if (rc)
        (void)hst_err_at(err, path);
    if (!list)
        return rc ? rc : err->code;
    f->labels = list;
    snprintf(f->labels_of, sizeof f->labels_of, "%s", hst_path_base(path));
    return 0;
}

/* A file of the usual names beside the model's. */
static int labels_beside(foreign *f, hst_err *err)
{
    const size_t n = strlen(f->path) - strlen(hst_path_base(f->path));
    for (const char *const *name = hst_labels_files; *name && !f->labels; name++) {
        hst_err why = {0};
        char *path = hst_alloc(n + strlen(*name) + 1, 1, err);
        if (!path)
            return HST_EMEM;
        memcpy(path, f->path, n);
        memcpy(path + n, *name, strlen(*name));
        const int rc = hst_is_file(path) ? read_labels(f, path, &why) : 0;
        free(path);
        if (rc && name[1]) /* the last may be something else */
            return hst_fail(err, rc, "%s (--labels names another file)", why.msg);
    }
    return 0;
}

/* Of a file's facts, or of the configuration beside the weights. */
static int labels_inside(foreign *f, hst_err *err)
{
    const char *text = hst_tensors_meta(f->t, "labels"), *of = hst_tensors_meta(f->t, "labels_of");
    const char *refused = hst_tensors_meta(f->t, "labels_refused");
    static const char *const keys[] = {"label_names", "id2label", "pretrained_cfg"};
    if (!text && refused)
        return hst_fail(err, HST_EMODEL, "%s (--labels names another file)", refused);
    if (text) {
        f->labels = hst_json_list(text, "labels", err);
        snprintf(f->labels_of, sizeof f->labels_of, "%s", of ? of : "the file");
        return f->labels ? 0 : HST_EMODEL;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !f->labels; i++) {
        const json_t *v = json_object_get(f->config, keys[i]);
        v = strcmp(keys[i], "pretrained_cfg") == 0 ? json_object_get(v, "label_names") : v;
        if (json_is_array(v) || json_is_object(v))
            f->labels = hst_labels_of(v, "config.json", NULL);
    }
    snprintf(f->labels_of, sizeof f->labels_of, "config.json");
    return 0;
}

static int find_labels(foreign *f, hst_err *err)
{
    if (f->opts->labels)
        return read_labels(f, f->opts->labels, err);
    int rc = labels_inside(f, err);
    return rc || f->labels ? rc : labels_beside(f, err);
}

/* "0" .. "n-1", said aloud. */
static int number_labels(foreign *f, int n, hst_err *err)
{
    f->labels = json_array();
    for (int i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (json_array_append_new(f->labels, json_string(number)))
            return hst_fail(err, HST_EMEM, "out of memory");
    }
    hst_log(f->ctx, HST_LOG_WARN,
            "%s does not name its %d classes: they are called by their numbers (--labels FILE, or "
            "labels.txt beside it)",
            f->path, n);
    return 0;
}

/* ---- what it tells ---- */

/* A layer of one output: the second of two classes, or a number. */
static int settle_one(foreign *f, hst_err *err)
{
    const size_t named = json_array_size(f->labels);
    if (f->classifier.end == HST_ENDS_IN_SIGMOID || named == 2)
        return hst_classifier_make_two(&f->classifier, err);
    if (named == 1 && f->classifier.end == HST_ENDS_IN_LOGITS) {
        f->target = HST_TARGET_NUMBER;
        return 0;
    }
    return hst_fail(err, HST_EMODEL,
                    "it has one output, of which its file does not say whether it is a number or "
                    "tells two classes apart: give their one or two names (--labels FILE)");
}

static int settle(foreign *f, hst_err *err)
{
    const char *problem = json_string_value(json_object_get(f->config, "problem_type"));
    hst_classifier *c = &f->classifier;
    f->target = problem && strcmp(problem, "regression") == 0  ? HST_TARGET_NUMBER
                : problem && strncmp(problem, "multi", 5) == 0 ? HST_TARGET_LABELS
                                                               : HST_TARGET_CLASS;
    int rc = c->layer[c->n - 1].out == 1 && f->target == HST_TARGET_CLASS ? settle_one(f, err) : 0;
    const int n = c->layer[c->n - 1].out;
    if (rc == 0 && c->end == HST_ENDS_IN_SIGMOID && n > 2)
        f->target = HST_TARGET_LABELS;
    if (rc == 0 && !f->labels)
        rc = number_labels(f, n, err);
    if (rc == 0 && json_array_size(f->labels) != (size_t)n)
        rc = hst_fail(err, HST_EMODEL, "%s names %zu class%s, the network tells %d apart",
                      f->labels_of, json_array_size(f->labels),
                      json_array_size(f->labels) == 1 ? "" : "es", n);
    return rc;
}

/* ---- how it sees ---- */

static int is_of(const foreign *f, const char *begin)
{
    return strncmp(f->format, begin, strlen(begin)) == 0;
}

/* How a photo is brought to the network's size: as the caller says, the file, or those who publish
 * it; else as image_dataset_from_directory of Keras does, or torchvision's presets. */
static int prepare(foreign *f, const hst_backbone *b, hst_prep *out, hst_err *err)
{
    const char *said = hst_tensors_meta(f->t, "preparation");
    const int tensorflow = is_of(f, "Keras") || is_of(f, "TensorFlow") || is_of(f, "TFLite");
    const char *word = f->opts->prepare       ? f->opts->prepare
                       : said                 ? said
                       : b->arch.sizing.known ? "hub"
                       : tensorflow           ? "tf"
                                              : "pil,crop";
    int rc = hst_extractor_prep(b, word, out, err);
    if (rc || f->opts->prepare || said || b->arch.sizing.known)
        return rc;
    if (!tensorflow) {
        out->resize.width = (out->size.width * 8 + 3) / 7; /* 256 for 224 */
        out->resize.height = (out->size.height * 8 + 3) / 7;
    }
    snprintf(f->preparation, sizeof f->preparation, "%s", tensorflow ? "squashed" : "cropped");
    return 0;
}

/* Tells what was taken for granted, if anything. */
static void say_assumed(const foreign *f, const hst_backbone *b, int scaling_said)
{
    const char *scaling = hst_backbone_describe(b)->scaling;
    char pixels[96] = "", photos[96] = "";
    if (!scaling_said)
        snprintf(pixels, sizeof pixels, "pixels are scaled to %s",
                 strcmp(scaling, "pm1") == 0   ? "-1..1 (--scaling)"
                 : strcmp(scaling, "01") == 0  ? "0..1 (--scaling)"
                 : strcmp(scaling, "255") == 0 ? "0..255 (--scaling)"
                                               : "ImageNet's mean and deviation (--scaling)");
    if (*f->preparation)
        snprintf(photos, sizeof photos, "photos are %s to %d x %d (--prepare, --fit)",
                 f->preparation, b->arch.size.width, b->arch.size.height);
    if (hst_tensors_meta(f->t, "quantised"))
        hst_log(f->ctx, HST_LOG_WARN,
                "%s computes in 8 bits, which is done in float32 here: probabilities are not its "
                "own, but those of its weights",
                f->path);
    if (*pixels || *photos)
        hst_log(f->ctx, HST_LOG_WARN, "%s does not say it, so it is taken for granted that %s%s%s",
                f->path, pixels, *pixels && *photos ? " and " : "", photos);
}

static hst_extractor *look(foreign *f, hst_backbone *b, hst_err *err)
{
    hst_prep p;
    hst_extractor *e = hst_extractor_new(err);
    int rc = e ? prepare(f, b, &p, err) : HST_EMEM;
    rc = rc ? rc : hst_extractor_add_branch(e, b, err);
    rc = rc ? rc : hst_extractor_add_view(e, f->ctx, &p, err);
    if (rc == 0) {
        e->branch[0].owned = b;
        return e;
    }
    hst_extractor_free(e);
    return NULL;
}

/* ---- put together ---- */

/* Of a transformer, what its classifier reads: as many numbers as a token has, or twice. */
static const char *pool_of(const foreign *f, const hst_arch *a, const hst_origin *o)
{
    if (o->family->kind != &hst_vit)
        return NULL;
    if (f->classifier.layer[0].in == 2 * a->vit.dim)
        return "cls+mean";
    return strcmp(o->dialect->name, "Hugging Face") == 0 ? "cls" : NULL;
}

/* The classifier's layers become the model's; the last is its head. */
static int give_layers(foreign *f, hst_model *m, hst_err *err)
{
    hst_classifier *c = &f->classifier;
    const hst_hidden last = c->layer[c->n - 1];
    const int n = c->n - 1;
    c->n = 0;
    return hst_model_set_layers(m, c->layer, n, last.kernel, last.bias, err);
}

/* From which probability on a photo has each label, where config.json says it as exports do. */
static void read_thresholds(const foreign *f, hst_model *m)
{
    const json_t *list = json_object_get(f->config, "thresholds");
    if (!m->threshold || json_array_size(list) != (size_t)m->n_classes)
        return;
    for (int c = 0; c < m->n_classes; c++) {
        const double x = json_number_value(json_array_get(list, (size_t)c));
        if (x >= 0 && x <= 1 && json_is_number(json_array_get(list, (size_t)c)))
            m->threshold[c] = (float)x;
    }
}

static hst_model *assemble(foreign *f, hst_extractor *e, hst_err *err)
{
    const size_t n = json_array_size(f->labels);
    const char **names = hst_alloc(n, sizeof *names, err);
    hst_model *m = NULL;
    for (size_t i = 0; names && i < n; i++)
        names[i] = json_string_value(json_array_get(f->labels, i));
    if (names)
        m = hst_model_new(e, names, (int)n, err);
    else
        hst_extractor_free(e);
    free(names);
    int rc = m ? give_layers(f, m, err) : err->code;
    rc = rc ? rc : hst_model_set_target(m, f->target, err);
    if (rc == 0) {
        read_thresholds(f, m);
        m->number.least = m->number.most = NAN;
        return m;
    }
    if (err->code == HST_EARG)
        err->code = HST_EMODEL; /* the file's fault, not the caller's */
    hst_model_free(m);
    return NULL;
}

static hst_model *make(foreign *f, hst_err *err)
{
    hst_origin o;
    hst_arch a;
    hst_backbone_opts bo = hst_backbone_opts_default();
    const char *format = hst_tensors_meta(f->t, "source_format");
    const char *said = f->file.config ? NULL : hst_tensors_meta(f->t, "timm_config");
    const int guessed = hst_tensors_meta(f->t, "scaling_assumed") != NULL;
    const int scaling_said =
        f->opts->scaling || (hst_facts_say_norm(f->t) && !guessed) || f->file.config || said;
    snprintf(f->format, sizeof f->format, "%s", format ? format : "");
    f->config = said ? hst_json_parse(said, strlen(said), "its configuration", NULL)
                     : read_json(f->file.config);
    if (hst_recognise(f->t, &o, &a, err) ||
        hst_classifier_read(f->t, a.family, o.dialect->body == hst_numbered_body, &f->classifier,
                            err) ||
        find_labels(f, err) || settle(f, err))
        return NULL;
    bo.scaling = f->opts->scaling;
    bo.pool = pool_of(f, &a, &o);
    hst_backbone *b = hst_probed_pool(f->ctx, f->t, &o, &a, &bo.pool, err)
                          ? NULL
                          : hst_backbone_of_file(f->ctx, &f->file, f->t, &bo, err);
    if (!b)
        return NULL;
    const int in = f->classifier.layer[0].in, dim = b->info.n_features;
    if (in != dim)
        hst_fail(err, HST_EMODEL,
                 "its classifier reads %d numbers, where the network (%s) gives %d: it is not "
                 "behind the average over the picture",
                 in, a.family, dim);
    hst_extractor *e = in == dim ? look(f, b, err) : NULL;
    if (!e) {
        hst_backbone_free(b);
        return NULL;
    }
    say_assumed(f, b, scaling_said);
    return assemble(f, e, err);
}

hst_model *hst_foreign_load(hst_ctx *ctx, const char *path, const hst_model_opts *o, hst_err *err)
{
    foreign f = {.ctx = ctx, .path = path, .opts = o};
    hst_model *m = NULL;
    hst_err own = {0};
    err = err ? err : &own;
    if (open_file(&f, err) == 0) {
        const int ours = hst_tensors_meta(f.t, "exported") != NULL;
        m = !ours ? make(&f, err)
            : !o->labels && !o->scaling && !o->prepare
                ? hst_model_exported(ctx, f.t, err)
                : (hst_fail(err, HST_EARG,
                            "a model that headstart has exported says how it sees and what it "
                            "names: give no other labels, scaling or preparation"),
                   NULL);
        if (!m)
            (void)hst_err_at(err, path);
    }
    json_decref(f.labels);
    json_decref(f.config);
    hst_classifier_clear(&f.classifier);
    hst_tensors_free(f.t);
    hst_weight_file_clear(&f.file);
    return m;
}
