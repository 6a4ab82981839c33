#include "nn/learn_unit.h"

#include <math.h>

enum { KERNEL, BIAS };                /* a convolution's slots */
enum { GAMMA, BETA, MEAN, VARIANCE }; /* a batch norm's slots */

static const hst_node *node_at(const hst_learn *l, int i, int limit)
{
    return i < limit ? hst_graph_node(l->graph, i) : NULL;
}

/* Node i is op, reads the node before it, and alone does. */
static int follows(const hst_learn *l, int i, int limit, const hst_op *op)
{
    const hst_node *n = node_at(l, i, limit);
    return n && n->op == op && n->input[0] == i - 1 && l->readers[i - 1] == 1;
}

int hst_unit_match(const hst_learn *l, int node, int limit, int relu6, hst_unit *u)
{
    const hst_node *n = node_at(l, node, limit);
    if (!n || (n->op != &hst_op_conv2d && n->op != &hst_op_depthwise) ||
        !follows(l, node + 1, limit, &hst_op_batchnorm) || hst_learn_is_batch(l, node + 1) ||
        (relu6 && !follows(l, node + 2, limit, &hst_op_relu6)))
        return 0;
    size_t taps = (size_t)(n->conv.kernel * n->conv.kernel);
    const hst_shape in = hst_graph_node(l->graph, n->input[0])->out;
    *u = (hst_unit){.conv = node, .norm = node + 1, .rows = taps, .n = (size_t)n->out.c};
    if (n->op == &hst_op_conv2d)
        u->rows *= (size_t)in.c;
    return node + 2 + relu6;
}

/* The unit's parameters of channel c. */
typedef struct channel {
    double gamma, beta, mean, bias, inverse; /* inverse: 1 / sigma */
} channel;

static channel channel_of(const hst_learn *l, const hst_unit *u, size_t c)
{
    const float *bias = hst_learn_param(l, u->conv, BIAS);
    return (channel){
        .gamma = hst_learn_param(l, u->norm, GAMMA)[c],
        .beta = hst_learn_param(l, u->norm, BETA)[c],
        .mean = hst_learn_param(l, u->norm, MEAN)[c],
        .bias = bias ? bias[c] : 0,
        .inverse = 1 / sqrt(hst_learn_param(l, u->norm, VARIANCE)[c] +
                            hst_graph_node(l->graph, u->norm)->epsilon),
    };
}

void hst_unit_fold(const hst_learn *l, const hst_unit *u, float *w)
{
    enum { AT_ONCE = 64 };
    const float *kernel = hst_learn_param(l, u->conv, KERNEL);
    for (size_t c0 = 0; c0 < u->n; c0 += AT_ONCE) {
        double scale[AT_ONCE];
        size_t n = u->n - c0 < AT_ONCE ? u->n - c0 : AT_ONCE;
        for (size_t c = 0; c < n; c++) {
            channel p = channel_of(l, u, c0 + c);
            scale[c] = p.gamma * p.inverse;
            w[u->rows * u->n + c0 + c] = (float)(p.beta + (p.bias - p.mean) * scale[c]);
        }
        for (size_t r = 0; r < u->rows; r++)
            for (size_t c = 0; c < n; c++)
                w[r * u->n + c0 + c] = (float)(kernel[r * u->n + c0 + c] * scale[c]);
    }
}

float *hst_unit_kernel_grad(const hst_learn_task *t, const hst_unit *u)
{
    return hst_learn_param_grad(t, u->conv, KERNEL);
}

float *hst_unit_bias_grad(const hst_learn_task *t, const hst_unit *u)
{
    return hst_learn_param_grad(t, u->norm, BETA);
}

static float *out_of(const hst_learn *l, int node, int slot)
{
    const float *p = hst_learn_param(l, node, slot);
    return p ? l->out + (p - l->params) - l->offset : NULL;
}

void hst_unit_unfold(const hst_learn *l, const hst_unit *u)
{
    enum { AT_ONCE = 64 };
    const float *kernel = hst_learn_param(l, u->conv, KERNEL);
    float *dw = out_of(l, u->conv, KERNEL), *db = out_of(l, u->conv, BIAS);
    float *dgamma = out_of(l, u->norm, GAMMA), *dbeta = out_of(l, u->norm, BETA);
    for (size_t c0 = 0; c0 < u->n; c0 += AT_ONCE) {
        double sum[AT_ONCE] = {0}, scale[AT_ONCE];
        size_t n = u->n - c0 < AT_ONCE ? u->n - c0 : AT_ONCE;
        for (size_t c = 0; c < n; c++) {
            channel p = channel_of(l, u, c0 + c);
            scale[c] = p.gamma * p.inverse;
        }
        for (size_t r = 0; r < u->rows; r++)
            for (size_t c = 0; c < n; c++) {
                size_t at = r * u->n + c0 + c;
                sum[c] += (double)kernel[at] * dw[at];
                dw[at] = (float)(dw[at] * scale[c]);
            }
        for (size_t c = 0; c < n; c++) {
            channel p = channel_of(l, u, c0 + c);
            double b = dbeta[c0 + c];
            dgamma[c0 + c] = (float)((sum[c] + (p.bias - p.mean) * b) * p.inverse);
            if (db)
                db[c0 + c] = (float)(b * scale[c]);
        }
    }
}

int hst_unit_group(int hidden, int panel)
{
    enum { ABOUT = 64 };
    int groups = (hidden + ABOUT - 1) / ABOUT, n = (hidden + groups - 1) / groups;
    return (n + panel - 1) / panel * panel;
}

void hst_unit_transpose(const hst_unit *u, const float *w, float *to)
{
    enum { TILE = 16 };
    const size_t rows = u->rows, n = u->n;
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < n; c0 += TILE)
            for (size_t r = r0; r < rows && r < r0 + TILE; r++)
                for (size_t c = c0; c < n && c < c0 + TILE; c++)
                    to[c * rows + r] = w[r * n + c];
}

size_t hst_unit_packed_groups(const hst_kernels *k, const hst_unit *u, int group)
{
    size_t n = (u->n + (size_t)group - 1) / (size_t)group;
    return n * hst_gemm_packed(k, group, (int)u->rows);
}

void hst_unit_pack_groups(const hst_kernels *k, const hst_unit *u, const float *w, int group,
                          float *turned, float *out)
{
    hst_unit_transpose(u, w, turned);
    for (size_t c = 0; c < u->n; c += (size_t)group) {
        size_t n = u->n - c < (size_t)group ? u->n - c : (size_t)group;
        hst_gemm_pack(k, turned + c * u->rows, NULL, (int)n, (int)u->rows, out);
        out += hst_gemm_packed(k, group, (int)u->rows);
    }
}
