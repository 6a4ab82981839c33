#include "prediction/explain.h"

#include "base/mem.h"
#include "dataset/photo.h"
#include "prediction/cam_grid.h"

#include <stdlib.h>
#include <string.h>

enum { VIEWS = HST_MAX_BESIDE * HST_MAX_VIEWS, GRID_MAX = 256 };

struct hst_explainer {
    const hst_model *model;
    const hst_extractor *maps; /* own, or shared */
    hst_extractor *own;
    hst_ctx ctx;            /* to read photos with; nothing to close */
    hst_executor *executor; /* the context's */
    hst_looking *looking;
    int n_views;
    /* of each view the last feature map [h w][dim], behind what is before it, then the features
     * [dim] */
    float *raw[VIEWS];
    float *mean, *features, *prob; /* [dim], [dim], [classes] */
    float *slope;                  /* [dim] of the class that is shown */
    hst_unknown_work *unknown;
    hst_cam_view view[VIEWS];
    float *cell[VIEWS]; /* [h][w], what view[].map shows */
    float *map;         /* [cam.height][cam.width] */
    size_t map_floats;  /* room there */
    uint8_t *bytes;     /* of the last photo */
    size_t n_bytes;
    hst_cam cam;
};

/* ---- made and freed ---- */

/* Memory for what every view shows. */
static int add_views(hst_explainer *x, hst_err *err)
{
    const hst_view *v;
    for (int i = 0; (v = hst_extractor_view(x->maps, i, NULL, NULL)); i++) {
        x->n_views = i + 1;
        x->raw[i] = hst_alloc(hst_plan_output_floats(v->plan), sizeof(float), err);
        x->cell[i] = x->raw[i] ? hst_alloc(hst_shape_pixels(v->map), sizeof(float), err) : NULL;
        if (!x->cell[i])
            return HST_EMEM;
        x->view[i] = (hst_cam_view){.map = x->cell[i], .w = v->map.w, .h = v->map.h};
    }
    return 0;
}

static int fill(hst_explainer *x, const hst_ctx *ctx, hst_err *err)
{
    const size_t dim = (size_t)x->model->dim;
    if (!x->maps)
        x->maps = x->own = hst_extractor_with_maps(x->model->extractor, ctx, err);
    if (!x->maps)
        return err && err->code ? err->code : HST_EMEM;
    x->looking = hst_looking_new(ctx, x->maps, err);
    x->mean = x->looking ? hst_alloc(dim, sizeof(float), err) : NULL;
    x->features = x->mean ? hst_alloc(dim, sizeof(float), err) : NULL;
    x->prob = x->features ? hst_alloc((size_t)x->model->n_classes, sizeof *x->prob, err) : NULL;
    x->slope = x->prob ? hst_alloc(dim, sizeof *x->slope, err) : NULL;
    x->unknown = x->slope ? hst_unknown_work_new(x->model->dim, x->model->n_classes, err) : NULL;
    return x->unknown ? add_views(x, err) : HST_EMEM;
}

hst_explainer *hst_explainer_new(const hst_ctx *ctx, const hst_model *m, const hst_extractor *maps,
                                 hst_err *err)
{
    hst_explainer *x = hst_alloc(1, sizeof *x, err);
    if (!x)
        return NULL;
    x->model = m;
    x->maps = maps;
    x->ctx = hst_ctx_quiet(ctx);
    x->executor = ctx->executor;
    if (fill(x, ctx, err) == 0)
        return x;
    hst_explainer_free(x);
    return NULL;
}

hst_explainer *hst_explainer_open(hst_ctx *ctx, const hst_model *m, hst_err *err)
{
    return hst_explainer_new(ctx, m, NULL, err);
}

void hst_explainer_free(hst_explainer *x)
{
    if (!x)
        return;
    for (int i = 0; i < x->n_views; i++) {
        free(x->raw[i]);
        free(x->cell[i]);
    }
    free(x->mean);
    free(x->features);
    free(x->prob);
    free(x->slope);
    hst_unknown_work_free(x->unknown);
    free(x->map);
    free(x->bytes);
    hst_looking_free(x->looking);
    hst_extractor_free(x->own);
    free(x);
}

/* ---- a photo ---- */

/* Maps and features of all views, and what the head makes of them. */
static int look(hst_explainer *x, hst_err *err)
{
    const int alone = hst_executor_enter(x->executor);
    int rc = 0;
    hst_looking_at_bytes(x->looking, x->bytes, x->n_bytes);
    for (int i = 0, w, h; rc == 0 && i < x->n_views; i++) {
        const hst_view *v = hst_extractor_view(x->maps, i, NULL, NULL);
        rc = hst_looking_view(x->looking, i, alone ? x->executor : NULL, x->raw[i], err);
        hst_looking_size(x->looking, &w, &h);
        rc = rc ? rc : hst_prep_part(&v->prep, w, h, &x->view[i].part, err);
    }
    hst_executor_leave(x->executor);
    return rc;
}

static void combine(hst_explainer *x)
{
    const float *view[HST_MAX_VIEWS];
    for (int k = 0, i = 0; k < x->maps->n_branches; k++) {
        const hst_branch *b = &x->maps->branch[k];
        for (int v = 0; v < b->n_views; v++, i++)
            view[v] = x->raw[i] + b->view[v].before + hst_shape_floats(b->view[v].map);
        hst_views_combine(view, b->n_views, b->dim, HST_IDENTITY, x->mean + b->first);
        hst_views_combine(view, b->n_views, b->dim, b->transform, x->features + b->first);
    }
    hst_model_head(x->model, x->features, x->prob);
}

/* What the positions of a view are worth, in mirrored ones from right to left. A channel of mean 0
 * gives the head nothing, and has nothing to be shared out. */
static void value(const hst_explainer *x, const hst_branch *b, const hst_view *v, const float *raw,
                  float *cell)
{
    const size_t dim = (size_t)b->dim;
    const float *slope = x->slope + b->first;
    const float *mean = x->mean + b->first, *feature = x->features + b->first;
    for (int y = 0; y < v->map.h; y++)
        for (int at = 0; at < v->map.w; at++, raw += dim) {
            double sum = 0;
            for (size_t k = 0; k < dim; k++)
                if (mean[k] != 0)
                    sum +=
                        (double)slope[k] * ((double)feature[k] / (double)mean[k]) * (double)raw[k];
            const int to = v->prep.mirror ? v->map.w - 1 - at : at;
            cell[y * v->map.w + to] = (float)(sum / b->n_views);
        }
}

static void value_all(hst_explainer *x)
{
    for (int i = 0, branch; i < x->n_views; i++) {
        const hst_view *v = hst_extractor_view(x->maps, i, NULL, &branch);
        value(x, &x->maps->branch[branch], v, x->raw[i] + v->before, x->cell[i]);
    }
}

/* Cells that n positions on a share of the photo make of the whole of it. */
static int cells(int n, double share)
{
    const double all = n / share + 0.5;
    return all < GRID_MAX ? (int)all : GRID_MAX;
}

int hst_explainer_map(const hst_explainer *x, int w, int h, float *out, hst_err *err)
{
    int rc = 0;
    memset(out, 0, (size_t)w * (size_t)h * sizeof *out);
    for (int i = 0; rc == 0 && i < x->n_views; i++)
        rc = hst_cam_view_add(&x->view[i], w, h, out, err);
    return rc;
}

static int make_map(hst_explainer *x, hst_err *err)
{
    int w = 1, h = 1;
    for (int i = 0; i < x->n_views; i++) {
        const hst_cam_view *v = &x->view[i];
        const int across = cells(v->w, v->part.width), down = cells(v->h, v->part.height);
        w = across > w ? across : w;
        h = down > h ? down : h;
    }
    const size_t floats = (size_t)w * (size_t)h;
    float *map = floats > x->map_floats ? hst_resize(x->map, floats, sizeof *map, err) : x->map;
    if (!map)
        return HST_EMEM;
    x->map_floats = floats > x->map_floats ? floats : x->map_floats;
    x->map = map;
    int rc = hst_explainer_map(x, w, h, map, err);
    x->cam.map = rc ? NULL : map;
    x->cam.width = w;
    x->cam.height = h;
    return rc;
}

static int best(const float *prob, int n)
{
    int top = 0;
    for (int i = 1; i < n; i++)
        top = prob[i] > prob[top] ? i : top;
    return top;
}

/* What of the logit no position has a share in: the bias, of hidden layers what theirs make too. */
static double left_over(const hst_explainer *x)
{
    const hst_model *m = x->model;
    double left = x->cam.logit;
    for (int i = 0; m->n_hidden && i < m->dim; i++)
        left -= (double)x->slope[i] * (double)x->features[i];
    return m->n_hidden ? left : (double)m->bias[x->cam.label];
}

/* x->bytes is the photo. */
static int explain(hst_explainer *x, int label, hst_err *err)
{
    const hst_model *m = x->model;
    int rc = look(x, err);
    if (rc)
        return rc;
    combine(x);
    x->cam = (hst_cam){.size = sizeof x->cam,
                       .label = label < 0 ? best(x->prob, m->n_classes) : label,
                       .prob = x->prob,
                       .n = m->n_classes,
                       .unknown_score = hst_model_unknown(m, x->features, x->prob, x->unknown)};
    x->cam.logit = hst_model_logit(m, x->features, x->cam.label);
    rc = hst_model_slope(m, x->features, x->cam.label, x->slope, err);
    if (rc)
        return rc;
    x->cam.bias = left_over(x);
    value_all(x);
    return make_map(x, err);
}

/* Takes bytes. */
static int see(hst_explainer *x, uint8_t *bytes, size_t n, int label, hst_err *err)
{
    free(x->bytes);
    x->bytes = bytes;
    x->n_bytes = n;
    return explain(x, label, err);
}

/* The next photo is asked for: what is known of the last one ends. */
static int begin(hst_explainer *x, int label, hst_err *err)
{
    x->cam = (hst_cam){0};
    if (label >= -1 && label < x->model->n_classes)
        return 0;
    return hst_fail(err, HST_EARG, "there is no class %d: the model has %d", label,
                    x->model->n_classes);
}

int hst_explainer_see(hst_explainer *x, const char *path, int label, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = begin(x, label, err);
    rc = rc ? rc : hst_photo_read(&x->ctx, path, HST_EIMAGE, &bytes, &n, err);
    return rc ? rc : see(x, bytes, n, label, err);
}

const hst_cam *hst_explain_file(hst_explainer *x, const char *path, int label, hst_err *err)
{
    if (hst_explainer_see(x, path, label, err) == 0)
        return &x->cam;
    hst_err_at(err, path);
    return NULL;
}

const hst_cam *hst_explain_bytes(hst_explainer *x, const void *bytes, size_t n, int label,
                                 hst_err *err)
{
    if (begin(x, label, err))
        return NULL;
    uint8_t *copy = hst_alloc(n, 1, err);
    if (!copy)
        return NULL;
    if (n > 0)
        memcpy(copy, bytes, n);
    return see(x, copy, n, label, err) ? NULL : &x->cam;
}

const hst_cam *hst_explainer_cam(const hst_explainer *x)
{
    return x->cam.map ? &x->cam : NULL;
}

const hst_model *hst_explainer_model(const hst_explainer *x)
{
    return x->model;
}

hst_decode hst_explainer_decode(const hst_explainer *x, int least)
{
    return (hst_decode){hst_extractor_view(x->maps, 0, NULL, NULL)->prep.resampler, least,
                        x->ctx.decoders};
}

const uint8_t *hst_explainer_bytes(const hst_explainer *x, size_t *n)
{
    *n = x->n_bytes;
    return x->bytes;
}
