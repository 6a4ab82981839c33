/* ranges.c - the ranges of a backbone in 8 bits, and where a file has them. */
#include "backbones/backbone.h"
#include "backbones/params.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hst_backbone_set_ranges(const hst_ctx *ctx, hst_backbone *b, const hst_range *ranges,
                            hst_err *err)
{
    const size_t n = (size_t)hst_graph_n_nodes(b->graph);
    hst_plan_options o = hst_plan_defaults();
    o.precision = b->precision;
    o.ranges = ranges;
    hst_range *own = hst_alloc(n, sizeof *own, err);
    hst_plan *plan = own ? hst_plan_make(b->graph, ctx->kernels, &o, err) : NULL;
    if (!plan) {
        free(own);
        return err && err->code ? err->code : HST_EMEM;
    }
    memcpy(own, ranges, n * sizeof *own);
    hst_plan_free(b->plan);
    free(b->ranges);
    b->plan = plan;
    b->ranges = own;
    return 0;
}

int hst_backbone_range_name(const hst_backbone *b, int i, char name[HST_RANGE_NAME])
{
    const char *layer = hst_graph_node_name(b->graph, i);
    if (!b->ranges || !*layer || !(b->ranges[i].least < b->ranges[i].most))
        return 0;
    return snprintf(name, HST_RANGE_NAME, "%s/input_range", layer) > 0;
}

int hst_backbone_read_ranges(const hst_ctx *ctx, hst_backbone *b, const hst_tensors *t,
                             const char *prefix, hst_err *err)
{
    const int n = hst_graph_n_nodes(b->graph);
    char name[HST_MAX_FILE_NAME];
    int rc = 0, found = 0;
    hst_range *ranges = hst_alloc((size_t)n, sizeof *ranges, err);
    if (!ranges)
        return HST_EMEM;
    for (int i = 0; rc == 0 && i < n; i++) {
        snprintf(name, sizeof name, "%s%s/input_range", prefix, hst_graph_node_name(b->graph, i));
        const hst_tensor *x = hst_tensors_find(t, name);
        if (!x)
            continue;
        if (x->dtype != HST_F32 || x->n_bytes != sizeof *ranges)
            rc = hst_fail(err, HST_EMODEL, "tensor '%s' is not two numbers", name);
        else
            memcpy(&ranges[i], x->data, sizeof *ranges);
        if (rc == 0 && !(isfinite(ranges[i].least) && isfinite(ranges[i].most) &&
                         ranges[i].least < ranges[i].most))
            rc = hst_fail(err, HST_EMODEL, "tensor '%s' is no range", name);
        found++;
    }
    if (rc == 0 && found)
        rc = hst_backbone_set_ranges(ctx, b, ranges, err);
    free(ranges);
    return rc;
}
