#include "nn/learn/conv_norm.h"

#include <math.h>

enum { KERNEL, BIAS };                /* a convolution's slots */
enum { GAMMA, BETA, MEAN, VARIANCE }; /* a batch norm's slots */

int hst_conv_norm_of(const hst_plan *p, const hst_unit *unit, hst_conv_norm *out)
{
    const hst_node *conv = hst_unit_node(p->graph, unit, HST_PART_CONV);
    const int norm = unit->node[HST_PART_NORM];
    if (!conv || norm < 0 || hst_graph_node(p->graph, norm)->op->norm != HST_NORM_BATCH ||
        hst_plan_is_batch(p, norm))
        return 0;
    const size_t n = (size_t)hst_node_shape(conv).c;
    *out = (hst_conv_norm){
        .conv = unit->first, .norm = norm, .rows = hst_slot_count(&conv->slot[KERNEL]) / n, .n = n};
    return 1;
}

/* The unit's parameters of channel c. */
typedef struct channel {
    double gamma, beta, mean, bias, inverse; /* inverse: 1 / sigma */
} channel;

static channel channel_of(const hst_plan *p, const hst_conv_norm *u, size_t c)
{
    const float *bias = hst_plan_param(p, u->conv, BIAS);
    const double epsilon = hst_node_epsilon(hst_graph_node(p->graph, u->norm));
    return (channel){
        .gamma = hst_plan_param(p, u->norm, GAMMA)[c],
        .beta = hst_plan_param(p, u->norm, BETA)[c],
        .mean = hst_plan_param(p, u->norm, MEAN)[c],
        .bias = bias ? bias[c] : 0,
        .inverse = 1 / sqrt(hst_plan_param(p, u->norm, VARIANCE)[c] + epsilon),
    };
}

void hst_conv_norm_fold(const hst_plan *p, const hst_conv_norm *u, float *w)
{
    enum { AT_ONCE = 64 };
    const float *kernel = hst_plan_param(p, u->conv, KERNEL);
    for (size_t c0 = 0; c0 < u->n; c0 += AT_ONCE) {
        double scale[AT_ONCE];
        size_t n = u->n - c0 < AT_ONCE ? u->n - c0 : AT_ONCE;
        for (size_t c = 0; c < n; c++) {
            const channel k = channel_of(p, u, c0 + c);
            scale[c] = k.gamma * k.inverse;
            w[u->rows * u->n + c0 + c] = (float)(k.beta + (k.bias - k.mean) * scale[c]);
        }
        for (size_t r = 0; r < u->rows; r++)
            for (size_t c = 0; c < n; c++)
                w[r * u->n + c0 + c] = (float)(kernel[r * u->n + c0 + c] * scale[c]);
    }
}

float *hst_conv_norm_kernel_grad(const hst_learn_task *t, const hst_conv_norm *u)
{
    return hst_learn_param_grad(t, u->conv, KERNEL);
}

float *hst_conv_norm_bias_grad(const hst_learn_task *t, const hst_conv_norm *u)
{
    return hst_learn_param_grad(t, u->norm, BETA);
}

static float *out_of(const hst_learn *l, int node, int slot)
{
    const float *p = hst_plan_learnt(&l->plan, node, slot);
    return p ? l->out + (p - l->params) - l->plan.param : NULL;
}

void hst_conv_norm_unfold(const hst_learn *l, const hst_conv_norm *u)
{
    enum { AT_ONCE = 64 };
    const float *kernel = hst_plan_param(&l->plan, u->conv, KERNEL);
    float *dw = out_of(l, u->conv, KERNEL), *db = out_of(l, u->conv, BIAS);
    float *dgamma = out_of(l, u->norm, GAMMA), *dbeta = out_of(l, u->norm, BETA);
    for (size_t c0 = 0; c0 < u->n; c0 += AT_ONCE) {
        double sum[AT_ONCE] = {0}, scale[AT_ONCE];
        size_t n = u->n - c0 < AT_ONCE ? u->n - c0 : AT_ONCE;
        for (size_t c = 0; c < n; c++) {
            channel p = channel_of(&l->plan, u, c0 + c);
            scale[c] = p.gamma * p.inverse;
        }
        for (size_t r = 0; r < u->rows; r++)
            for (size_t c = 0; c < n; c++) {
                size_t at = r * u->n + c0 + c;
                sum[c] += (double)kernel[at] * dw[at];
                dw[at] = (float)(dw[at] * scale[c]);
            }
        for (size_t c = 0; c < n; c++) {
            channel p = channel_of(&l->plan, u, c0 + c);
            double b = dbeta[c0 + c];
            dgamma[c0 + c] = (float)((sum[c] + (p.bias - p.mean) * b) * p.inverse);
            if (db)
                db[c0 + c] = (float)(b * scale[c]);
        }
    }
}

int hst_conv_norm_group(int hidden, hst_multiplier by)
{
    enum { ABOUT = 64, WIDEST = 32 };
    const int groups = (hidden + ABOUT - 1) / ABOUT, n = (hidden + groups - 1) / groups;
    const int panel = by.low ? WIDEST : by.kernels->panel;
    return (n + panel - 1) / panel * panel;
}

void hst_conv_norm_transpose(const hst_conv_norm *u, const float *w, float *to)
{
    enum { TILE = 16 };
    const size_t rows = u->rows, n = u->n;
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < n; c0 += TILE)
            for (size_t r = r0; r < rows && r < r0 + TILE; r++)
                for (size_t c = c0; c < n && c < c0 + TILE; c++)
                    to[c * rows + r] = w[r * n + c];
}

size_t hst_conv_norm_packed_groups(hst_multiplier by, const hst_conv_norm *u, int group)
{
    size_t n = (u->n + (size_t)group - 1) / (size_t)group;
    return n * hst_matrix_floats(by, group, (int)u->rows);
}

void hst_conv_norm_pack_groups(hst_multiplier by, const hst_conv_norm *u, const float *w, int group,
                               float *transposed, float *out)
{
    hst_conv_norm_transpose(u, w, transposed);
    for (size_t c = 0; c < u->n; c += (size_t)group) {
        size_t n = u->n - c < (size_t)group ? u->n - c : (size_t)group;
        (void)hst_matrix_pack(by, transposed + c * u->rows, NULL, (int)n, (int)u->rows, out);
        out += hst_matrix_floats(by, group, (int)u->rows);
    }
}
