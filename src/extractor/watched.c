/* watched.c - extractors whose networks make every value in memory. */
#include "extractor/extractor.h"

static int add_view(hst_branch *b, const hst_ctx *ctx, const hst_prep *p, hst_err *err)
{
    hst_plan_options o = hst_plan_defaults();
    hst_view v = {.prep = *p};
    o.fuse = 0;
    for (int i = 0; i < b->n_views; i++)
        v.plan = hst_size_equal(b->view[i].prep.size, p->size) ? b->view[i].plan : v.plan;
    if (!v.plan)
        v.plan = v.owned =
            hst_backbone_plan_with(ctx, b->backbone, b->backbone->graph, p->size, &o, err);
    if (!v.plan)
        return err && err->code ? err->code : HST_EMEM;
    b->view[b->n_views++] = v;
    return 0;
}

hst_extractor *hst_extractor_watched(const hst_extractor *e, const hst_ctx *ctx, hst_err *err)
{
    hst_extractor *c = hst_extractor_new(err);
    int rc = c ? 0 : HST_EMEM;
    for (int k = 0; rc == 0 && k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        rc = hst_extractor_add_branch(c, b->backbone, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++)
            rc = add_view(&c->branch[k], ctx, &b->view[i].prep, err);
    }
    if (rc == 0)
        return c;
    hst_extractor_free(c);
    return NULL;
}
