#include "base/finite.h"
#include "base/mem.h"
#include "nn/step.h"

#include <math.h>
#include <stdlib.h>

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

/* Rows of weights that node has, of out.c columns each; a batch norm by itself has one. */
static size_t weight_rows(const hst_graph *g, const hst_node *node)
{
    const size_t taps = (size_t)node->conv.kernel * (size_t)node->conv.kernel;
    if (node->op == &hst_op_conv2d)
        return taps * (size_t)hst_graph_shape(g, node->input[0]).c;
    return node->op == &hst_op_depthwise ? taps : 1;
}

size_t hst_fold_floats(const hst_graph *g, const hst_node *node, const hst_kernels *k)
{
    const size_t rows = weight_rows(g, node);
    if (node->op == &hst_op_conv2d)
        return hst_gemm_packed(k, (int)rows, node->out.c);
    if (node->op == &hst_op_depthwise || node->op == &hst_op_batchnorm)
        return (rows + 1) * (size_t)node->out.c;
    return 0;
}

/* w[rows][stride]: columns c < n times scale[c]. */
static void scale_columns(float *w, size_t rows, size_t stride, size_t n, const double *scale)
{
    for (size_t r = 0; r < rows; r++, w += stride)
        for (size_t c = 0; c < n; c++)
            w[c] = (float)(w[c] * scale[c]);
}

/* The kernel in panels, scaled panel by panel, the shift as bias behind. */
static float *pack(const hst_kernels *k, const float *kernel, size_t rows, int n, const affine *a,
                   float *out)
{
    float *bias = (float *)hst_gemm_pack(k, kernel, NULL, (int)rows, n, out);
    for (int c = 0; c < n; c += k->panel)
        scale_columns(out + (size_t)c * rows, rows, (size_t)k->panel,
                      (size_t)(n - c < k->panel ? n - c : k->panel), a->scale + c);
    return bias;
}

/* [rows][n], then the shift. kernel NULL: ones. */
static float *plain(const float *kernel, size_t rows, int n, const affine *a, float *out)
{
    const size_t cols = (size_t)n, count = rows * cols;
    for (size_t i = 0; i < count; i++)
        out[i] = kernel ? kernel[i] : 1;
    scale_columns(out, rows, cols, cols, a->scale);
    return out + count;
}

int hst_fold(const hst_graph *g, const hst_node *node, const hst_node *norm, const hst_kernels *k,
             hst_step *s, hst_err *err)
{
    const int n = node->out.c;
    const size_t rows = weight_rows(g, node);
    const float *kernel = node->conv.kernel > 0 ? param(g, node, 0) : NULL;
    affine a = {0};
    if (affine_make(g, node, norm, &a, err))
        return HST_EMEM;
    float *bias = node->op == &hst_op_conv2d ? pack(k, kernel, rows, n, &a, s->weights)
                                             : plain(kernel, rows, n, &a, s->weights);
    for (int c = 0; c < n; c++)
        bias[c] = (float)a.shift[c];
    s->bias = bias;
    free(a.scale);
    if (hst_all_finite(s->weights, hst_fold_floats(g, node, k)))
        return 0;
    return hst_fail(err, HST_EMODEL, "layer %s: its weights are not finite numbers", node->name);
}
