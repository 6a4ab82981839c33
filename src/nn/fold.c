#include "base/mem.h"
#include "nn/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Per output channel: y = scale x + shift, what batch norm does once its statistics are fixed. */
typedef struct affine {
    double *scale, *shift; /* [n] */
} affine;

static const float *param(const hst_graph *g, const hst_node *n, int slot)
{
    return hst_graph_param(g, (size_t)(n->first_param + slot))->data;
}

static int affine_make(const hst_graph *g, const hst_node *node, const hst_node *norm, affine *a,
                       hst_err *err)
{
    int n = node->out.c, has_bias = node->conv.bias && node != norm;
    a->scale = hst_alloc((size_t)n, 2 * sizeof *a->scale, err);
    if (!a->scale)
        return HST_EMEM;
    a->shift = a->scale + n;
    const float *bias = has_bias ? param(g, node, 1) : NULL;
    for (int c = 0; c < n; c++) {
        double scale = 1, shift = bias ? bias[c] : 0;
        if (norm) {
            double gamma = param(g, norm, 0)[c], beta = param(g, norm, 1)[c];
            double mean = param(g, norm, 2)[c], variance = param(g, norm, 3)[c];
            scale = gamma / sqrt(variance + norm->epsilon);
            shift = beta + (shift - mean) * scale;
        }
        a->scale[c] = scale;
        a->shift[c] = shift;
    }
    return 0;
}

static int all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* Kernel [rows][n] with every column scaled, then bias[n]: the layout all ops start from. */
static float *folded(const float *kernel, size_t rows, int n, const affine *a, hst_err *err)
{
    size_t cols = (size_t)n;
    float *w = hst_alloc((rows + 1) * cols, sizeof *w, err);
    if (!w)
        return NULL;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            w[r * cols + c] = (float)((kernel ? kernel[r * cols + c] : 1) * a->scale[c]);
    for (size_t c = 0; c < cols; c++)
        w[rows * cols + c] = (float)a->shift[c];
    return w;
}

int hst_fold(const hst_graph *g, const hst_node *node, const hst_node *norm, const hst_kernels *k,
             hst_step *s, hst_err *err)
{
    int n = node->out.c, kk = node->conv.kernel * node->conv.kernel,
        is_conv = node->conv.kernel > 0;
    size_t rows = node->op == &hst_op_conv2d ? (size_t)kk * (size_t)s->in.c
                  : is_conv                  ? (size_t)kk
                                             : 1;
    affine a = {0};
    if (affine_make(g, node, norm, &a, err))
        return HST_EMEM;
    float *w = folded(is_conv ? param(g, node, 0) : NULL, rows, n, &a, err);
    free(a.scale);
    if (!w)
        return HST_EMEM;
    if (!all_finite(w, (rows + 1) * (size_t)n)) {
        free(w);
        return hst_fail(err, HST_EMODEL, "layer %s: its weights are not finite numbers",
                        node->name);
    }
    s->weights = w;
    s->bias = w + rows * (size_t)n;
    if (node->op != &hst_op_conv2d)
        return 0;
    s->weights = hst_alloc(hst_gemm_packed(k, (int)rows, n), sizeof *w, err);
    if (s->weights)
        s->bias = hst_gemm_pack(k, w, s->bias, (int)rows, n, s->weights);
    free(w);
    return s->weights ? 0 : HST_EMEM;
}
