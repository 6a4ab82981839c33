/* known.c - a model's tensors as a library's network has them, and its head out of them again. */
#include "exports/known.h"

#include "backbones/backbone.h"
#include "backbones/vit.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Features are averages of hard swish, never below -3/8: with this added they are above 3. */
#define SHIFT 4

int hst_known_vit_is_plain(const hst_arch *a)
{
    return !a->vit.rotary.is && !a->vit.no_table && !a->vit.gated;
}

const char *hst_known_torch_dialect(const hst_arch *a, const char *library)
{
    const int same = strncmp(a->family, "resnet", 6) == 0 || strcmp(a->family, "inception_v3") == 0;
    return same ? "torchvision or timm" : library;
}

void hst_known_end(hst_known *k)
{
    json_decref(k->args);
    json_decref(k->processor);
    *k = (hst_known){0};
}

/* The column of the classifier that feature 0 is, and how many columns there are. */
static int first_column(const hst_known *k, const hst_model *m)
{
    return k->features == HST_KNOWN_MEAN ? m->dim : 0;
}

static int columns(const hst_known *k, const hst_model *m)
{
    return k->features == HST_KNOWN_SAME      ? m->dim
           : k->features == HST_KNOWN_SHIFTED ? k->wide
                                              : 2 * m->dim;
}

/* What the convolution more adds to class c's logit. */
static double shifted_by(const hst_known *k, const hst_model *m, const float *kernel, int c)
{
    double sum = 0;
    for (int d = 0; k->features == HST_KNOWN_SHIFTED && d < m->dim; d++)
        sum += SHIFT * (double)kernel[(size_t)d * (size_t)m->n_classes + (size_t)c];
    return sum;
}

/* ---- written ---- */

static hst_tensor *add(hst_named *out, const char *front, const char *ending, int n,
                       const int64_t *dim, hst_err *err)
{
    char name[HST_MAX_FILE_NAME];
    snprintf(name, sizeof name, "%s%s", front, ending);
    return hst_named_add(out, name, HST_F32, n, dim, err);
}

static int add_head(const hst_known *k, const hst_model *m, hst_named *out, hst_err *err)
{
    const int64_t dim[4] = {m->n_classes, columns(k, m), 1, 1};
    const hst_tensor *w = add(out, k->head, ".weight", k->convolves ? 4 : 2, dim, err);
    float *to = w ? hst_named_numbers(w) + first_column(k, m) : NULL;
    for (int c = 0; to && c < m->n_classes; c++)
        for (int d = 0; d < m->dim; d++)
            to[(int64_t)c * dim[1] + d] = m->kernel[(size_t)d * (size_t)m->n_classes + (size_t)c];
    const hst_tensor *b = w ? add(out, k->head, ".bias", 1, dim, err) : NULL;
    for (int c = 0; b && c < m->n_classes; c++)
        hst_named_numbers(b)[c] = (float)((double)m->bias[c] - shifted_by(k, m, m->kernel, c));
    return b ? 0 : HST_EMEM;
}

/* The convolution in front of it: y = x + SHIFT. */
static int add_shift(const hst_known *k, const hst_model *m, hst_named *out, hst_err *err)
{
    const int64_t dim[4] = {k->wide, m->dim, 1, 1};
    const hst_tensor *w = add(out, "conv_head", ".weight", 4, dim, err);
    for (int d = 0; w && d < m->dim; d++)
        hst_named_numbers(w)[(int64_t)d * m->dim + d] = 1;
    const hst_tensor *b = w ? add(out, "conv_head", ".bias", 1, dim, err) : NULL;
    for (int d = 0; b && d < m->dim; d++)
        hst_named_numbers(b)[d] = SHIFT;
    return b ? 0 : HST_EMEM;
}

/* Patches of timm's networks with a norm behind the tokens have no bias: it goes with their
 * positions, which stand behind those of the class token. */
static void move_bias(const hst_arch *a, hst_named *out)
{
    static const char name[] = "patch_embed.proj.bias";
    const hst_tensor *bias = hst_named_find(out, name), *table = hst_named_find(out, "pos_embed");
    const hst_cells cells = hst_vit_cells(a);
    const int64_t dim = a->vit.dim, patches = (int64_t)cells.rows * cells.columns;
    if (!bias || !table)
        return;
    float *x = hst_named_numbers(table) + (table->dim[table->n_dims - 2] - patches) * dim;
    for (int64_t i = 0; i < patches * dim; i++)
        x[i] += hst_named_numbers(bias)[i % dim];
    hst_named_remove(out, name);
}

/* What transformers' networks have beside, and what timm's have not. */
static int settle(const hst_known *k, const hst_arch *a, hst_named *out, hst_err *err)
{
    const int64_t dim[2] = {1, a->vit.dim};
    if (strncmp(k->architecture, "Dinov2", 6) == 0)
        return add(out, k->prefix, "embeddings.mask_token", 2, dim, err) ? 0 : HST_EMEM;
    if (hst_family_find(a->family)->kind == &hst_vit && a->vit.pre_norm)
        move_bias(a, out);
    return 0;
}

int hst_known_tensors(const hst_known *k, const hst_model *m, hst_named *out, hst_err *err)
{
    const hst_backbone *b = hst_model_plain(m)->backbone;
    int rc = hst_named_make(&b->arch, b->graph, k->dialect, k->prefix, out, err);
    if (rc == 0 && k->epsilon != 0) /* only networks of convolutions have it */
        hst_named_change_epsilon(out, b->arch.cnn.bn_epsilon, k->epsilon);
    rc = rc ? rc : settle(k, &b->arch, out, err);
    if (rc == 0 && k->features == HST_KNOWN_SHIFTED)
        rc = add_shift(k, m, out, err);
    return rc ? rc : add_head(k, m, out, err);
}

/* ---- read ---- */

int hst_known_head(const hst_known *k, const hst_tensors *t, const hst_model *m, float *kernel,
                   float *bias, hst_err *err)
{
    char name[2][64];
    const int64_t n = m->n_classes, wide = columns(k, m);
    snprintf(name[0], sizeof name[0], "%s.weight", k->head);
    snprintf(name[1], sizeof name[1], "%s.bias", k->head);
    const hst_tensor *w = hst_tensors_find(t, name[0]), *b = hst_tensors_find(t, name[1]);
    if (!w || w->n_dims != (k->convolves ? 4 : 2) || w->dim[0] != n || w->dim[1] != wide ||
        hst_tensor_count(w) != (size_t)(n * wide) || !b || b->n_dims != 1 || b->dim[0] != n)
        return hst_fail(err, HST_EMODEL, "its classifier is not there");
    float *x = hst_alloc((size_t)(n * wide), sizeof *x, err);
    int rc = x ? hst_tensor_floats(w, x, err) : HST_EMEM;
    rc = rc ? rc : hst_tensor_floats(b, bias, err);
    for (int64_t c = 0; rc == 0 && c < n; c++)
        for (int64_t d = 0; d < m->dim; d++)
            kernel[d * n + c] = x[c * wide + first_column(k, m) + d];
    for (int c = 0; rc == 0 && c < n; c++)
        bias[c] = (float)((double)bias[c] + shifted_by(k, m, kernel, c));
    free(x);
    return rc;
}

/* ---- asked ---- */

static int ask(const hst_known *k, const hst_exporting *x, const hst_backbone *b,
               const hst_tensors *t, hst_probes *p, hst_err *err)
{
    const hst_model *m = x->model;
    const size_t n = (size_t)m->n_classes;
    float *kernel = hst_alloc(((size_t)m->dim + 1) * n, sizeof *kernel, err);
    hst_model head = *m;
    head.kernel = kernel;
    head.bias = kernel ? kernel + (size_t)m->dim * n : NULL;
    int rc = kernel ? hst_known_head(k, t, m, head.kernel, head.bias, err) : HST_EMEM;
    const hst_answering a = {b->graph, b->arch.norm, &head};
    if (rc == 0 && hst_plan_output(b->plan).c != m->dim)
        rc = hst_fail(err, HST_EMODEL, "its features are others");
    if (rc == 0 && !hst_size_equal(b->arch.size, hst_model_plain(m)->view[0].prep.size))
        rc = hst_fail(err, HST_EMODEL, "it is for photos of another size");
    rc = rc ? rc : hst_export_answers(x, &a, p, p->found, err);
    free(kernel);
    return rc;
}

/* 1, or the error as one of what was written. */
static int told(int rc, hst_err *err)
{
    const hst_err why = *err;
    if (rc == HST_EMODEL)
        return hst_fail(err, HST_EMODEL, "what was written cannot be read back: %s", why.msg);
    return rc ? rc : 1;
}

static int ask_folder(const hst_known *k, const hst_exporting *x, hst_probes *p, hst_err *err)
{
    hst_ctx quiet = hst_ctx_quiet(x->ctx);
    hst_backbone_opts o = hst_backbone_opts_default();
    if (k->processor) /* transformers' configs do not say it */
        o.pool = hst_model_plain(x->model)->backbone->info.pool;
    char *path = hst_path_join(x->path, "model.safetensors", err);
    hst_tensors *t = path ? hst_tensors_read(path, err) : NULL;
    hst_backbone *b = t ? hst_backbone_open_with(&quiet, x->path, &o, err) : NULL;
    int rc = b ? ask(k, x, b, t, p, err) : err->code;
    hst_backbone_free(b);
    hst_tensors_free(t);
    free(path);
    return told(rc, err);
}

int hst_known_ask(hst_known_find *find, const hst_exporting *x, hst_probes *p, char how[96],
                  hst_err *err)
{
    hst_known k = {0};
    int rc = find(x->model, &k, err);
    rc = rc ? rc : ask_folder(&k, x, p, err);
    hst_known_end(&k);
    snprintf(how, 96, "read back");
    return rc;
}

int hst_known_ask_tensors(const hst_known *k, const hst_exporting *x, const hst_tensors *t,
                          hst_probes *p, hst_err *err)
{
    hst_ctx quiet = hst_ctx_quiet(x->ctx);
    hst_backbone *b =
        hst_backbone_exported(&quiet, &hst_model_plain(x->model)->backbone->arch, t, err);
    int rc = b ? ask(k, x, b, t, p, err) : err->code;
    hst_backbone_free(b);
    return told(rc, err);
}
