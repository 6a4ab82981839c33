/* recognise.c - which network do these tensors belong to? Told by names and shapes alone. */
#include "backbones/family.h"

#include <stdio.h>
#include <string.h>

/* What stands in front of the dialect's marker: 1 and prefix, 0: no marker, -1: two networks. */
static int find_prefix(const hst_tensors *t, const char *marker, char prefix[HST_MAX_TENSOR_NAME])
{
    size_t nm = strlen(marker);
    int found = 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++) {
        const char *name = hst_tensors_at(t, i)->name;
        size_t n = strlen(name);
        size_t np = n >= nm ? n - nm : HST_MAX_TENSOR_NAME;
        if (np >= HST_MAX_TENSOR_NAME || strcmp(name + np, marker) != 0 ||
            (np > 0 && name[np - 1] != '.' && name[np - 1] != '/'))
            continue;
        if (found)
            return -1;
        found = 1;
        memcpy(prefix, name, np);
        prefix[np] = 0;
    }
    return found;
}

/* The tensor that holds a layer's kernel; NULL: not there. */
static const hst_named *find_kernel(const hst_tensors *t, const hst_origin *o, const hst_layer *l)
{
    char name[3 * HST_MAX_TENSOR_NAME];
    hst_foreign_name(o, l, HST_KERNEL, name, sizeof name);
    return hst_tensors_find(t, name);
}

static int same_shape(const hst_named *k, const hst_origin *o, const hst_layer *l)
{
    int64_t oihw[4] = {l->out, l->role == HST_DEPTHWISE ? 1 : l->in, l->kernel, l->kernel};
    int64_t hwio[4] = {l->kernel, l->kernel, l->in, l->role == HST_DEPTHWISE ? 1 : l->out};
    return k && k->n_dims == 4 &&
           memcmp(k->dim, o->dialect->style->oihw ? oihw : hwio, sizeof oihw) == 0;
}

/* Layers whose kernel is missing or has another shape. */
static int count_misfits(const hst_tensors *t, const hst_origin *o, const hst_arch *a)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = hst_family_layers(a, layer), misfits = 0;
    for (int i = 0; i < n; i++)
        misfits += !same_shape(find_kernel(t, o, &layer[i]), o, &layer[i]);
    return misfits;
}

int hst_infer_width(const hst_tensors *t, const hst_origin *o, hst_arch *a)
{
    static const double usual[] = {1.0, 1.4, 1.3, 0.75, 0.5, 0.35, 0.25, 0.1};
    enum { N_USUAL = sizeof usual / sizeof *usual };
    hst_arch as = *a;
    int least = count_misfits(t, o, a);
    for (int i = 0; least > 0 && o->family->width == 0 && i < N_USUAL + 391; i++) {
        as.width = i < N_USUAL ? usual[i] : (i - N_USUAL + 10) / 100.0; /* 0.10 .. 4.00 */
        int misfits = count_misfits(t, o, &as);
        if (misfits < least) {
            least = misfits;
            a->width = as.width;
        }
    }
    return least;
}

static void defaults(const hst_origin *o, hst_arch *a)
{
    const hst_family *f = o->family;
    const hst_dialect *d = o->dialect;
    *a = (hst_arch){.width = f->width != 0 ? f->width : 1,
                    .px = f->px,
                    .padding = d->padding,
                    .bn_epsilon = d->bn_epsilon,
                    .norm = d->norm};
    snprintf(a->family, sizeof a->family, "%s", f->name);
}

static int unknown(const hst_tensors *t, hst_err *err)
{
    const hst_named *first = hst_tensors_count(t) ? hst_tensors_at(t, 0) : NULL;
    return hst_fail(
        err, HST_EMODEL,
        "no network known here: %zu tensors, first '%s'; expected MobileNetV2 (names "
        "of Hugging Face, torchvision, timm, Keras or TF Hub), MobileNetV1 (Hugging "
        "Face, timm or Keras), MobileNetV3 (torchvision, timm or Keras), EfficientNet-B0 "
        "(torchvision, timm, Hugging Face or Keras), EfficientNetV2-B0 (timm or Keras), "
        "EfficientNet-Lite (PyTorch, timm or Keras) or ResNet-18, -34, -50 "
        "(torchvision, timm, Hugging Face or Keras)",
        hst_tensors_count(t), first ? first->name : "");
}

/* How a file suits a family. */
typedef struct suit {
    enum { OTHER_NAMES, OTHER_SHAPES, OTHER_OPERATORS, SUITS } level;
    double misfits; /* part of the family's layers whose shapes are others */
} suit;

static int is_better(const suit *a, const suit *b)
{
    return a->level > b->level || (a->level == b->level && a->misfits < b->misfits);
}

/* *a: the architecture. HST_EMODEL: more than one network. */
static int try_on(const hst_tensors *t, hst_origin *o, hst_arch *a, suit *s, hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    hst_err why = {0};
    int has = find_prefix(t, o->dialect->marker, o->prefix);
    *s = (suit){OTHER_NAMES, 1};
    if (has < 0)
        return hst_fail(err, HST_EMODEL,
                        "more than one network in the file: several tensors end in '%s'",
                        o->dialect->marker);
    if (!has)
        return 0;
    defaults(o, a);
    int misfits = hst_infer_width(t, o, a);
    *s = (suit){OTHER_SHAPES, (double)misfits / hst_family_layers(a, layer)};
    o->fits = misfits == 0;
    if (misfits)
        return 0;
    s->level = SUITS;
    if (!hst_tensors_meta(t, "ops"))
        return 0;
    hst_graph *g = hst_arch_graph(a, &why);
    if (!g || hst_facts_check(t, a, g, &why))
        s->level = OTHER_OPERATORS;
    hst_graph_free(g);
    return 0;
}

int hst_recognise(const hst_tensors *t, hst_origin *o, hst_arch *a, hst_err *err)
{
    suit best = {OTHER_NAMES, 1};
    const hst_family *f;
    for (size_t i = 0; (f = hst_family_at(i)); i++)
        for (size_t j = 0; j < f->n_dialects; j++) {
            hst_origin as = {.family = f, .dialect = &f->dialects[j]};
            hst_arch try = {0};
            suit s;
            int rc = try_on(t, &as, &try, &s, err);
            if (rc)
                return rc;
            if (is_better(&s, &best)) { /* where none suits, the import of the best says why */
                *o = as;
                *a = try;
                best = s;
            }
            if (best.level == SUITS)
                return 0;
        }
    return best.level ? 0 : unknown(t, err);
}
