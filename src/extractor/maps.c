/* maps.c - the extractor that also gives what the networks' last average is over: what every
 * channel of the features was at every position. */
#include "extractor/extractor.h"
#include "nn/op.h"

/* The first position that the features are the mean of; negative: they are no mean. */
static int mean_from(const hst_graph *g)
{
    const hst_node *last = hst_graph_node(g, hst_graph_n_nodes(g) - 1);
    return last->op->mean_from ? last->op->mean_from(last) : -1;
}

/* Where the positions are in what is averaged: of tokens a row of patches a row. */
static void find_map(const hst_backbone *b, hst_view *v, int node)
{
    v->map = hst_plan_value(v->plan, node);
    v->before = (size_t)mean_from(b->graph) * (size_t)v->map.c;
    if (b->info.patch_px) {
        v->map.h = v->prep.size.height / b->info.patch_px;
        v->map.w = v->prep.size.width / b->info.patch_px;
    }
}

static int refuse(const hst_backbone *b, hst_err *err)
{
    const int tokens = b->info.patch_px > 0;
    return hst_fail(err, HST_EUNSUP,
                    "%s has no map of where it saw what: its features are not the mean over the "
                    "positions of a picture%s",
                    b->arch.family, tokens ? " (with pool \"mean\" most are)" : "");
}

/* A view of the last branch. */
static int add_view(hst_extractor *e, const hst_ctx *ctx, const hst_prep *p, hst_err *err)
{
    hst_branch *b = &e->branch[e->n_branches - 1];
    const hst_graph *g = b->backbone->graph;
    const int last = hst_graph_n_nodes(g) - 1,
              output[2] = {hst_graph_node(g, last)->input[0], last};
    hst_plan_options o = hst_plan_defaults();
    o.output = output;
    o.n_outputs = 2;
    int rc = hst_extractor_add_view_with(e, ctx, g, &o, p, err);
    if (rc == 0)
        find_map(b->backbone, &b->view[b->n_views - 1], output[0]);
    return rc;
}

hst_extractor *hst_extractor_with_maps(const hst_extractor *e, const hst_ctx *ctx, hst_err *err)
{
    hst_extractor *c = hst_extractor_new(err);
    int rc = c ? 0 : HST_EMEM;
    for (int k = 0; rc == 0 && k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        if (mean_from(b->backbone->graph) < 0)
            rc = refuse(b->backbone, err);
        rc = rc ? rc : hst_extractor_add_branch(c, b->backbone, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++)
            rc = add_view(c, ctx, &b->view[i].prep, err);
        if (rc == 0)
            c->branch[k].transform = b->transform;
    }
    if (rc == 0)
        return c;
    hst_extractor_free(c);
    return NULL;
}
