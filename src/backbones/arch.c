/* arch.c - the few numbers that rebuild a graph: checked, and as JSON for the model file. */
#include "backbones/family.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Bounds of what a file may say. */
#define WIDTH_MIN   0.1
#define WIDTH_MAX   4.0
#define PX_MIN      32
#define PX_MAX      1024
#define EPSILON_MIN 1e-12
#define EPSILON_MAX 1.0

int hst_arch_check(const hst_arch *a, hst_err *err)
{
    const hst_family *f = hst_family_find(a->family);
    if (!f)
        return hst_fail(err, HST_EMODEL, "unknown network family '%s'", a->family);
    if (!(a->width >= WIDTH_MIN && a->width <= WIDTH_MAX))
        return hst_fail(err, HST_EMODEL, "width %g, expected %g to %g", a->width, WIDTH_MIN,
                        WIDTH_MAX);
    if (f->width != 0 && a->width != f->width)
        return hst_fail(err, HST_EMODEL, "width %g, but %s has width %g", a->width, f->name,
                        f->width);
    if (a->px < PX_MIN || a->px > PX_MAX)
        return hst_fail(err, HST_EMODEL, "image size %d, expected %d to %d", a->px, PX_MIN, PX_MAX);
    if (a->padding != HST_PAD_TF && a->padding != HST_PAD_SYMMETRIC)
        return hst_fail(err, HST_EMODEL, "unknown padding %d", (int)a->padding);
    if (!(a->bn_epsilon >= EPSILON_MIN && a->bn_epsilon <= EPSILON_MAX))
        return hst_fail(err, HST_EMODEL, "batch-norm epsilon %g, expected %g to %g", a->bn_epsilon,
                        EPSILON_MIN, EPSILON_MAX);
    return hst_norm_check(&a->norm, err);
}

char *hst_arch_json(const hst_arch *a, hst_err *err)
{
    const hst_norm *n = &a->norm;
    return hst_json_dump(json_pack("{s:s, s:f, s:i, s:s, s:f, s:[fff], s:[fff]}", "family",
                                   a->family, "width", a->width, "image_px", a->px, "padding",
                                   a->padding == HST_PAD_TF ? "tf" : "symmetric", "bn_epsilon",
                                   a->bn_epsilon, "mean", (double)n->mean[0], (double)n->mean[1],
                                   (double)n->mean[2], "std", (double)n->std[0], (double)n->std[1],
                                   (double)n->std[2]),
                         err);
}

static int parse_texts(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *family = NULL, *padding = NULL;
    int rc = hst_json_text(o, "family", &family, err);
    if (rc == 0)
        rc = hst_json_text(o, "padding", &padding, err);
    if (rc)
        return rc;
    const hst_family *f = hst_family_find(family);
    if (!f)
        return hst_fail(err, HST_EMODEL, "unknown network family '%s'", family);
    snprintf(a->family, sizeof a->family, "%s", f->name);
    if (strcmp(padding, "tf") == 0)
        a->padding = HST_PAD_TF;
    else if (strcmp(padding, "symmetric") == 0)
        a->padding = HST_PAD_SYMMETRIC;
    else
        return hst_fail(err, HST_EMODEL, "unknown padding '%s'", padding);
    return 0;
}

int hst_arch_parse(const char *json, hst_arch *out, hst_err *err)
{
    hst_arch a = {0};
    json_t *o = hst_json_object(json, "the architecture", err);
    if (!o)
        return HST_EMODEL;
    int rc = parse_texts(o, &a, err);
    if (rc == 0)
        rc = hst_json_real(o, "width", WIDTH_MIN, WIDTH_MAX, &a.width, err);
    if (rc == 0)
        rc = hst_json_int(o, "image_px", PX_MIN, PX_MAX, &a.px, err);
    if (rc == 0)
        rc = hst_json_real(o, "bn_epsilon", EPSILON_MIN, EPSILON_MAX, &a.bn_epsilon, err);
    if (rc == 0)
        rc = hst_norm_parse(o, &a.norm, err);
    if (rc == 0)
        rc = hst_arch_check(&a, err);
    if (rc == 0)
        *out = a;
    json_decref(o);
    return rc;
}
