/* cnn_map.c - how programs that write weights name a layer's parameters, and lay them out. */
#include "backbones/cnn.h"
#include "backbones/facts.h"

#include <stdio.h>
#include <string.h>

const hst_style hst_style_torch = {1,
                                   ".weight",
                                   ".weight",
                                   {".weight", ".weight", ".bias", ".running_mean", ".running_var",
                                    ".bias", ".scale", ".bias", ""}};
const hst_style hst_style_keras = {0,
                                   "/depthwise_kernel",
                                   "/pointwise_kernel",
                                   {"/kernel", "/gamma", "/beta", "/moving_mean",
                                    "/moving_variance", "/bias", "/scale", "/shift", "/gamma"}};
/* Keras', but that every kernel has a name of its own. */
static const hst_style style_ours = {0,
                                     "/depthwise_kernel",
                                     "/kernel",
                                     {"/kernel", "/gamma", "/beta", "/moving_mean",
                                      "/moving_variance", "/bias", "/scale", "/shift", "/gamma"}};
/* TensorFlow's slim library, which the networks of TF Hub were made with. */
const hst_style hst_style_slim = {0,
                                  "/depthwise_weights",
                                  "/pointwise_weights",
                                  {"/weights", "/gamma", "/beta", "/moving_mean",
                                   "/moving_variance", "/biases", "/scale", "/shift", "/gamma"}};

/* ---- names ---- */

void hst_names_set(hst_layer_names *out, const char *layer, const char *conv, const char *bn)
{
    snprintf(out->conv, sizeof out->conv, "%s%s", layer, conv);
    snprintf(out->bn, sizeof out->bn, "%s%s", layer, bn);
}

int hst_names_of_ends(const hst_layer *l, const hst_layer_names ends[2], hst_layer_names *out)
{
    const int is_end = l->role == HST_STEM || l->role == HST_TOP;
    if (is_end)
        *out = ends[l->role == HST_TOP];
    return is_end;
}

void hst_torchvision_names(const hst_layer *l, const char *place, hst_layer_names *out)
{
    if (hst_layer_has_norm(l))
        hst_names_set(out, place, ".0", ".1");
    else
        hst_names_set(out, place, l->role == HST_SQUEEZE ? ".fc1" : ".fc2", "");
}

const char *const hst_numbered_body[] = {"op", NULL};
const char *const hst_counted_body[] = {"conv2d", "depthwise_conv2d", "batch_normalization", NULL};

void hst_numbered_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[16];
    snprintf(layer, sizeof layer, "op%d", l->number);
    hst_names_set(out, layer, "", "");
}

/* The first has no number. */
static void count(const char *class, int number, char *out, size_t cap)
{
    if (number)
        snprintf(out, cap, "%s_%d", class, number);
    else
        snprintf(out, cap, "%s", class);
}

void hst_counted_names(const hst_layer *l, hst_layer_names *out)
{
    count(l->role == HST_DEPTHWISE ? "depthwise_conv2d" : "conv2d", l->of_kind, out->conv,
          sizeof out->conv);
    *out->bn = 0;
    if (hst_layer_has_norm(l))
        count("batch_normalization", l->of_norm, out->bn, sizeof out->bn);
}

/* One of the two sides: what is in front of all names, what the layer is called, how it ends. */
typedef struct side {
    const char *prefix;
    const hst_style *style;
    hst_layer_names layer;
} side;

static side side_of(const hst_origin *o, const hst_layer *l)
{
    const hst_cnn_family *f = o->family->own;
    const hst_cnn_dialect *d = o->dialect->own;
    side s = {.prefix = o->prefix, .style = d->style};
    (d->names ? d->names : f->names)(l, &s.layer);
    return s;
}

static void name_part(const side *s, const hst_layer *l, enum hst_part part,
                      char out[HST_MAX_FILE_NAME])
{
    const char *of = part == HST_KERNEL || part == HST_BIAS ? s->layer.conv
                     : part >= HST_SCALE                    ? s->layer.affine
                                                            : s->layer.bn;
    const char *end = part != HST_KERNEL         ? s->style->part[part]
                      : l->role == HST_DEPTHWISE ? s->style->depthwise
                      : l->pointwise             ? s->style->pointwise
                                                 : s->style->part[part];
    snprintf(out, HST_MAX_FILE_NAME, "%s%s%s", s->prefix, of, end);
}

static const hst_tensor *find_part(const hst_tensors *t, const side *s, const hst_layer *l,
                                   enum hst_part part)
{
    char name[HST_MAX_FILE_NAME];
    name_part(s, l, part, name);
    return t ? hst_tensors_find(t, name) : NULL;
}

/* ---- the width ---- */

/* x [dim] but for axes of length 1 at the end, which matrices of 1x1 convolutions have not. */
static int has_shape(const hst_tensor *x, const int64_t dim[4])
{
    int same = x && x->n_dims <= 4;
    for (int i = 0; same && i < 4; i++)
        same = (i < x->n_dims ? x->dim[i] : 1) == dim[i];
    return same;
}

static int fits(const hst_tensors *t, const hst_origin *o, const hst_layer *l)
{
    const side s = side_of(o, l);
    const int64_t in = l->role == HST_DEPTHWISE ? 1 : l->groups ? l->in / l->groups : l->in;
    const int64_t wide = l->wide ? l->wide : l->kernel;
    const int64_t oihw[4] = {l->out, in, l->kernel, wide};
    const int64_t hwio[4] = {l->kernel, wide, l->in, l->role == HST_DEPTHWISE ? 1 : l->out};
    if (l->role == HST_NORM)
        return has_shape(find_part(t, &s, l, HST_GAMMA), (int64_t[4]){l->out, 1, 1, 1});
    return has_shape(find_part(t, &s, l, HST_KERNEL), s.style->oihw ? oihw : hwio);
}

/* The part of the layers whose kernel is missing or has another shape. */
static double misfit(const hst_tensors *t, const hst_origin *o, const hst_arch *a, hst_err *err)
{
    hst_layers l;
    int misfits = 0;
    if (hst_cnn_layers(a, &l, err))
        return HST_EMEM;
    const int n = l.n;
    for (int i = 0; i < n; i++)
        misfits += !fits(t, o, &l.layer[i]);
    hst_layers_free(&l);
    return (double)misfits / n;
}

/* The width as it is, else a usual one, else a hundredth; so that, where none fits, an error names
 * the tensor that is really wrong. */
double hst_cnn_fit(const hst_tensors *t, const hst_origin *o, hst_arch *a, hst_err *err)
{
    static const double usual[] = {1.0, 1.4, 1.3, 0.75, 0.5, 0.35, 0.25, 0.1};
    enum { N_USUAL = sizeof usual / sizeof *usual };
    const hst_cnn_family *f = o->family->own;
    hst_arch as = *a;
    double least = misfit(t, o, a, err);
    for (int i = 0; least > 0 && f->width == 0 && i < N_USUAL + 391; i++) {
        as.cnn.width = i < N_USUAL ? usual[i] : (i - N_USUAL + 10) / 100.0; /* 0.10 .. 4.00 */
        const double part = misfit(t, o, &as, err);
        if (part < least) {
            least = part;
            a->cnn.width = as.cnn.width;
        }
    }
    return least;
}

/* ---- the map ---- */

/* One layer on its way into the list. */
typedef struct mapping {
    const hst_arch *arch;
    const hst_cnn_dialect *dialect;
    const hst_layer *l;
    side ours, theirs;
    hst_param_maps *out;
    hst_err *err;
} mapping;

static hst_param_map *map_part(const mapping *m, enum hst_part ours, enum hst_part theirs)
{
    char to[HST_MAX_FILE_NAME], from[HST_MAX_FILE_NAME];
    name_part(&m->ours, m->l, ours, to);
    name_part(&m->theirs, m->l, theirs, from);
    hst_param_map *p = hst_param_maps_add(m->out, to, from, m->err);
    if (p && m->dialect->axes)
        p->axes = m->dialect->axes(m->arch, m->l, theirs);
    return p;
}

static int copy(const mapping *m, enum hst_part ours, enum hst_part theirs)
{
    return map_part(m, ours, theirs) ? 0 : HST_EMEM;
}

static int fill(const mapping *m, enum hst_part ours, float value)
{
    char to[HST_MAX_FILE_NAME];
    name_part(&m->ours, m->l, ours, to);
    hst_param_map *p = hst_param_maps_add(m->out, to, "", m->err);
    if (p)
        p->value = value;
    return p ? 0 : HST_EMEM;
}

/* To [H][W][I][O] and, depthwise, [H][W][C][1]. */
static int map_kernel(const mapping *m, int blue_first)
{
    static const int of_oihw[2][4] = {{2, 3, 1, 0}, {2, 3, 0, 1}};
    hst_param_map *p = map_part(m, HST_KERNEL, HST_KERNEL);
    if (!p)
        return HST_EMEM;
    p->permutes = m->theirs.style->oihw;
    memcpy(p->order, of_oihw[m->l->role == HST_DEPTHWISE], sizeof p->order);
    p->reversed = blue_first ? 1u << 2 : 0;
    p->squeezes = p->permutes && m->l->kernel == 1 && m->l->wide <= 1;
    return 0;
}

/* The batch norm that does nothing but add the bias which batch norm was drawn into:
 * (x - 0) / sqrt(1 - epsilon + epsilon) * 1 + bias. */
static int map_folded(const mapping *m, double epsilon)
{
    int rc = fill(m, HST_GAMMA, 1);
    rc = rc ? rc : fill(m, HST_MEAN, 0);
    rc = rc ? rc : fill(m, HST_VARIANCE, (float)(1 - epsilon));
    return rc ? rc : copy(m, HST_BETA, HST_BIAS);
}

/* biased: (x + bias - mean) is (x - (mean - bias)). unscaled: there is no gamma. */
static int map_norm(const mapping *m, int biased, int unscaled)
{
    int rc = unscaled ? fill(m, HST_GAMMA, 1) : copy(m, HST_GAMMA, HST_GAMMA);
    for (enum hst_part part = HST_BETA; rc == 0 && part <= HST_VARIANCE; part++)
        rc = copy(m, part, part);
    hst_param_map *p = rc == 0 && biased ? map_part(m, HST_MEAN, HST_BIAS) : NULL;
    if (p)
        p->adds = -1;
    return rc || (biased && !p) ? HST_EMEM : 0;
}

static int map_scale_and_shift(const mapping *m)
{
    return copy(m, HST_GAMMA, HST_GAMMA) || copy(m, HST_BETA, HST_BETA) ? HST_EMEM : 0;
}

static int map_layer_norm(const mapping *m)
{
    const int rc = m->l->role == HST_NORM ? 0 : copy(m, HST_BIAS, HST_BIAS);
    return rc ? rc : map_scale_and_shift(m);
}

/* What stands behind the activation. */
static int map_behind(const mapping *m)
{
    hst_param_map *p = m->l->scaled ? map_part(m, HST_LAYER_SCALE, HST_LAYER_SCALE) : NULL;
    if (p)
        p->squeezes = 1; /* torchvision's has two axes more */
    if (m->l->scaled)
        return p ? 0 : HST_EMEM;
    return m->l->affine && (copy(m, HST_SCALE, HST_SCALE) || copy(m, HST_SHIFT, HST_SHIFT))
               ? HST_EMEM
               : 0;
}

int hst_cnn_map(const hst_arch *a, const hst_origin *o, const hst_tensors *t, hst_param_maps *out,
                hst_err *err)
{
    static const hst_cnn_dialect own = {.style = &style_ours};
    static const hst_dialect ours = {.own = &own};
    const hst_origin us = {.family = o->family, .dialect = &ours};
    const hst_cnn_dialect *d = o->dialect->own;
    const int blue_first = d->blue_first && !(t && hst_facts_say_norm(t));
    hst_layers layers;
    int rc = hst_cnn_layers(a, &layers, err);
    for (int i = 0; rc == 0 && i < layers.n; i++) {
        const hst_layer *l = &layers.layer[i];
        const mapping m = {a, d, l, side_of(&us, l), side_of(o, l), out, err};
        const int has_gamma = find_part(t, &m.theirs, l, HST_GAMMA) != NULL;
        const int is_folded = !has_gamma && find_part(t, &m.theirs, l, HST_BIAS);
        rc = l->role == HST_NORM ? 0 : map_kernel(&m, blue_first && l->role == HST_STEM);
        if (rc == 0)
            rc = l->behind == HST_NOTHING               ? 0
                 : l->behind == HST_BIAS_ALONE          ? copy(&m, HST_BIAS, HST_BIAS)
                 : l->behind == HST_BIAS_AND_LAYER_NORM ? map_layer_norm(&m)
                 : l->behind == HST_GROUP_NORM          ? map_scale_and_shift(&m)
                 : is_folded                            ? map_folded(&m, a->cnn.bn_epsilon)
                             : map_norm(&m, d->biased, d->unscaled && !has_gamma);
        rc = rc ? rc : map_behind(&m);
    }
    hst_layers_free(&layers);
    return rc;
}
