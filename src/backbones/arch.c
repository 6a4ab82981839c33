/* arch.c - the few numbers that rebuild a graph: checked, and as JSON for the model file. */
#include "backbones/family.h"
#include "backbones/norms.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

static const hst_family *find_family(const char *name, hst_err *err)
{
    const hst_family *f = hst_family_find(name);
    if (!f)
        hst_fail(err, HST_EMODEL, "unknown network family '%s'", name);
    return f;
}

int hst_arch_check(const hst_arch *a, hst_err *err)
{
    const hst_family *f = find_family(a->family, err);
    if (!f)
        return HST_EMODEL;
    char size[HST_SIZE_TEXT];
    if (!hst_size_within(a->size, HST_LEAST_PX, HST_MOST_PX))
        return hst_fail(
            err, HST_EMODEL, "image size %s%s, expected %d to %d", hst_size_text(a->size, size),
            hst_size_is_square(a->size) ? "" : " (width x height)", HST_LEAST_PX, HST_MOST_PX);
    int rc = f->kind->check(a, err);
    return rc ? rc : hst_pixel_norm_check(&a->norm, err);
}

char *hst_arch_json(const hst_arch *a, hst_err *err)
{
    const hst_pixel_norm *n = &a->norm;
    json_t *o = json_pack("{s:s, s:[fff], s:[fff]}", "family", a->family, "mean",
                          (double)n->mean[0], (double)n->mean[1], (double)n->mean[2], "std",
                          (double)n->std[0], (double)n->std[1], (double)n->std[2]);
    if (o &&
        (hst_size_write(a->size, "image", o) || hst_family_find(a->family)->kind->write(a, o))) {
        json_decref(o);
        o = NULL;
    }
    return hst_json_dump(o, err);
}

int hst_arch_parse(const char *json, hst_arch *out, hst_err *err)
{
    hst_arch a = {0};
    const char *name = NULL;
    json_t *o = hst_json_object(json, "the architecture", err);
    int rc = o ? hst_json_text(o, "family", &name, err) : HST_EMODEL;
    const hst_family *f = rc ? NULL : find_family(name, err);
    rc = f ? hst_size_read(o, "image", HST_LEAST_PX, HST_MOST_PX, &a.size, err) : HST_EMODEL;
    rc = rc ? rc : hst_pixel_norm_parse(o, &a.norm, err);
    rc = rc ? rc : f->kind->parse(o, &a, err);
    if (rc == 0) {
        snprintf(a.family, sizeof a.family, "%s", f->name);
        rc = hst_arch_check(&a, err);
    }
    if (rc == 0)
        *out = a;
    json_decref(o);
    return rc;
}

hst_graph *hst_arch_graph(const hst_arch *a, hst_err *err)
{
    if (hst_arch_check(a, err))
        return NULL;
    hst_graph *g = hst_graph_new(err);
    if (g && hst_family_find(a->family)->kind->build(g, a, err) >= 0 &&
        hst_graph_finish(g, err) == 0)
        return g;
    hst_graph_free(g);
    return NULL;
}
