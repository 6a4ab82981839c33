/* maps.c - the extractor that also gives what the networks' last average is over: what every
 * channel of the features was at every position. */
#include "extractor/extractor.h"
#include "nn/op.h"

static const hst_token_pool *pool_of(const hst_node *n)
{
    return n->op == &hst_op_token_pool ? (const void *)n->attrs : NULL;
}

/* The node whose mean over the positions a network's features are; negative: there is none. */
static int pooled_node(const hst_graph *g)
{
    const hst_node *last = hst_graph_node(g, hst_graph_n_nodes(g) - 1);
    const hst_token_pool *p = pool_of(last);
    return last->op == &hst_op_global_average || (p && p->pool == HST_POOL_MEAN) ? last->input[0]
                                                                                 : -1;
}

/* Where the positions are in what that node gives: of tokens those behind the ones without a place,
 * a row of patches a row. */
static void find_map(const hst_backbone *b, hst_view *v, int node)
{
    const hst_node *last = hst_graph_node(b->graph, hst_graph_n_nodes(b->graph) - 1);
    const hst_token_pool *p = pool_of(last);
    v->map = hst_plan_value(v->plan, node);
    if (!p)
        return;
    v->before = (size_t)p->prefix * (size_t)v->map.c;
    v->map.h = v->prep.size.height / b->info.patch_px;
    v->map.w = v->prep.size.width / b->info.patch_px;
}

static int refuse(const hst_backbone *b, hst_err *err)
{
    const int tokens = b->info.patch_px > 0;
    return hst_fail(err, HST_EUNSUP,
                    "%s has no map of where it saw what: its features are not the mean over the "
                    "positions of a picture%s",
                    b->arch.family, tokens ? " (with pool \"mean\" most are)" : "");
}

static hst_plan *make_plan(const hst_ctx *ctx, const hst_backbone *b, hst_size size,
                           const hst_plan_options *o, hst_err *err)
{
    return hst_size_equal(size, b->arch.size)
               ? hst_plan_make(b->graph, ctx->kernels, o, err)
               : hst_backbone_plan_with(ctx, b, b->graph, size, o, err);
}

/* Adds a view to the branch; those of one size share a plan. */
static int add_view(hst_branch *b, const hst_ctx *ctx, const hst_prep *p, hst_err *err)
{
    const hst_graph *g = b->backbone->graph;
    const int output[2] = {pooled_node(g), hst_graph_n_nodes(g) - 1};
    hst_plan_options o = hst_plan_defaults();
    hst_view v = {.prep = *p};
    o.precision = b->backbone->precision;
    o.ranges = b->backbone->ranges;
    o.output = output;
    o.n_outputs = 2;
    for (int i = 0; i < b->n_views; i++)
        v.plan = hst_size_equal(b->view[i].prep.size, p->size) ? b->view[i].plan : v.plan;
    if (!v.plan)
        v.plan = v.owned = make_plan(ctx, b->backbone, p->size, &o, err);
    if (!v.plan)
        return err && err->code ? err->code : HST_EMEM;
    find_map(b->backbone, &v, output[0]);
    b->view[b->n_views++] = v;
    return 0;
}

hst_extractor *hst_extractor_with_maps(const hst_extractor *e, const hst_ctx *ctx, hst_err *err)
{
    hst_extractor *c = hst_extractor_new(err);
    int rc = c ? 0 : HST_EMEM;
    for (int k = 0; rc == 0 && k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        if (pooled_node(b->backbone->graph) < 0)
            rc = refuse(b->backbone, err);
        rc = rc ? rc : hst_extractor_add_branch(c, b->backbone, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++)
            rc = add_view(&c->branch[k], ctx, &b->view[i].prep, err);
        if (rc == 0)
            c->branch[k].transform = b->transform;
    }
    if (rc == 0)
        return c;
    hst_extractor_free(c);
    return NULL;
}
