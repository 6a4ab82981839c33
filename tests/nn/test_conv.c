/* nn: convolutions as steps of inference: against sums in double; the same bits whatever the cache
 * and the threads; those of the product of their windows, but for 3x3 by Winograd. */
#include "support.h"

#include "base/random.h"
#include "nn/infer/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct conv_case {
    hst_shape in;
    int kernel, stride, out;
    enum hst_padding padding;
    int adds; /* 1: a 1x1 convolution of the input is added */
    enum hst_act act;
    int wide; /* columns of the kernel; 0: as many as rows */
} conv_case;

static const conv_case cases[] = {
    /* Winograd: whole tiles and such as hang over an edge; panels that are not full */
    {{14, 14, 32}, 3, 1, 32, HST_PAD_SYMMETRIC, 1, HST_ACT_RELU},
    {{7, 9, 16}, 3, 1, 80, HST_PAD_TF, 1, HST_ACT_RELU6},
    {{5, 4, 48}, 3, 1, 16, HST_PAD_TF, 0, HST_ACT_SWISH},
    {{1, 3, 16}, 3, 1, 48, HST_PAD_SYMMETRIC, 0, HST_ACT_NONE},
    {{30, 2, 16}, 3, 1, 16, HST_PAD_SYMMETRIC, 0, HST_ACT_RELU},
    /* the same without padding */
    {{9, 9, 16}, 3, 1, 32, HST_PAD_VALID, 0, HST_ACT_RELU},
    {{3, 3, 16}, 3, 1, 16, HST_PAD_VALID, 0, HST_ACT_NONE},
    {{8, 15, 32}, 3, 1, 48, HST_PAD_VALID, 0, HST_ACT_SWISH},
    /* sums of windows */
    {{23, 20, 3}, 7, 2, 64, HST_PAD_SYMMETRIC, 1, HST_ACT_RELU},
    {{17, 18, 3}, 3, 2, 24, HST_PAD_TF, 0, HST_ACT_SWISH},
    {{9, 8, 20}, 3, 1, 40, HST_PAD_TF, 1, HST_ACT_RELU6},
    {{14, 13, 64}, 3, 2, 48, HST_PAD_SYMMETRIC, 1, HST_ACT_RELU},
    {{8, 9, 40}, 1, 2, 72, HST_PAD_SYMMETRIC, 0, HST_ACT_NONE},
    {{6, 5, 300}, 3, 2, 33, HST_PAD_TF, 1, HST_ACT_HSWISH},
    {{7, 6, 16}, 1, 1, 32, HST_PAD_SYMMETRIC, 1, HST_ACT_RELU, 7},
    {{6, 9, 20}, 7, 1, 24, HST_PAD_TF, 1, HST_ACT_RELU, 1},
    {{5, 5, 32}, 3, 1, 48, HST_PAD_SYMMETRIC, 1, HST_ACT_SWISH, 1},
    {{8, 7, 16}, 2, 2, 16, HST_PAD_VALID, 0, HST_ACT_RELU, 3},
    {{4, 2, 7}, 5, 1, 9, HST_PAD_SYMMETRIC, 1, HST_ACT_RELU, 3},
    {{9, 9, 16}, 3, 2, 16, HST_PAD_VALID, 0, HST_ACT_RELU},
    /* products of pixels, one of them with a power of two of channels */
    {{9, 9, 24}, 1, 1, 40, HST_PAD_TF, 0, HST_ACT_SWISH},
    {{7, 7, 1024}, 1, 1, 33, HST_PAD_TF, 1, HST_ACT_RELU},
    {{3, 3, 2048}, 1, 1, 64, HST_PAD_TF, 0, HST_ACT_HSWISH},
};

static float *randoms(size_t n, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * hst_rng_uniform(&r) - 1);
    return x;
}

enum { FIRST = 1 }; /* the node of the convolution that is added */

static hst_graph *graph_of(const conv_case *c)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    /* As many outputs as the other has. */
    const int valid = c->padding == HST_PAD_VALID;
    const hst_conv side = {valid ? c->kernel : 1, c->stride, c->out, c->padding, 1,
                           valid ? c->wide : 0};
    const hst_conv conv = {c->kernel, c->stride, c->out, c->padding, 1, c->wide};
    const int x = hst_graph_input(g, c->in, &e), z = hst_graph_conv2d(g, x, &side, "side", &e);
    int y = hst_graph_conv2d(g, x, &conv, "conv", &e);
    y = c->adds ? hst_graph_add(g, y, z, &e) : y;
    y = hst_graph_activation(g, y, c->act, &e);
    assert_true(z == FIRST && y > z);
    check_ok(hst_graph_finish(g, &e), &e);
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        float *w = randoms(hst_param_count(p), i + 1);
        memcpy(p->data, w, hst_param_count(p) * sizeof *w);
        free(w);
    }
    return g;
}

typedef struct way {
    enum hst_precision precision;
    size_t cache;
    hst_executor *ex; /* NULL: one thread */
} way;

/* What is added and the outputs, one behind the other. To be freed. */
static float *outcome(const hst_graph *g, const hst_kernels *k, const float *x, way how)
{
    hst_err e = {0};
    const int output[] = {FIRST, hst_graph_n_nodes(g) - 1};
    const hst_plan_options o = {.fuse = 1,
                                .cache_bytes = how.cache,
                                .precision = how.precision,
                                .output = output,
                                .n_outputs = 2};
    hst_executor *ex = how.ex;
    hst_plan *p = hst_plan_make(g, k, &o, &e);
    check_ok(!p, &e);
    hst_work *w = hst_work_new_together(p, hst_executor_threads(ex), &e);
    check_ok(!w, &e);
    float *y = calloc(hst_plan_output_floats(p), sizeof *y);
    if (ex)
        hst_plan_run_together(p, w, ex, x, y);
    else
        hst_plan_run(p, w, x, 1, y);
    hst_work_free(w);
    hst_plan_free(p);
    return y;
}

/* The windows of all outputs as a matrix, times the kernel: what the bits shall be. */
static float *by_windows(const hst_graph *g, const conv_case *c, const hst_kernels *kn,
                         const float *x, const float *z)
{
    const hst_conv conv = {c->kernel, c->stride, c->out, c->padding, 1, c->wide};
    const int last = hst_graph_n_nodes(g) - 1, k = hst_conv_taps(&conv) * c->in.c;
    const hst_shape out = hst_graph_shape(g, last);
    const hst_geometry geometry = {conv, c->in, out};
    const size_t row = hst_shape_row_floats(out), floats = hst_shape_floats(out);
    float *windows = malloc((size_t)out.w * (size_t)k * sizeof *windows);
    float *packed = malloc(hst_gemm_packed(kn, k, c->out) * sizeof *packed);
    float *y = malloc(floats * sizeof *y);
    const float *bias = hst_gemm_pack(kn, hst_graph_find(g, "conv/kernel")->data,
                                      hst_graph_find(g, "conv/bias")->data, k, c->out, packed);
    for (int oy = 0; oy < out.h; oy++) {
        hst_im2col(&geometry, x, oy, windows);
        kn->gemm(&(hst_gemm){.x = windows,
                             .ldx = (size_t)k,
                             .w = packed,
                             .bias = bias,
                             .y = y + (size_t)oy * row,
                             .ldy = (size_t)out.c,
                             .residual = c->adds ? z + (size_t)oy * row : NULL,
                             .rows = (size_t)out.w,
                             .k = k,
                             .n = c->out,
                             .clamp = hst_act_clamp(c->act)});
    }
    if (hst_act_late(c->act) != HST_ACT_NONE)
        kn->activate(c->act, y, y, floats);
    free(windows);
    free(packed);
    return y;
}

static int is_winograd(const conv_case *c)
{
    return c->kernel == 3 && !c->wide && c->stride == 1 && c->in.c % 16 == 0 && c->out % 16 == 0;
}

/* Numbers are rounded by 0.002 and less: 0.01 of their size all together. */
static int is_near(const float *y, const float *want, size_t n)
{
    double far = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        far += ((double)y[i] - (double)want[i]) * ((double)y[i] - (double)want[i]);
        size += (double)want[i] * (double)want[i];
    }
    return far <= 1e-4 * size;
}

static int is_right(const conv_case *c, float y, float want)
{
    /* outputs are of the size of 1 .. 10 */
    return is_winograd(c) ? fabsf(y - want) <= 1e-5f * (1 + fabsf(want))
                          : memcmp(&y, &want, sizeof y) == 0;
}

/* Executors of one, some and more threads than there are rows. */
enum { N_THREADS = 3 };

static void compare_in(const conv_case *c, const hst_graph *g, const hst_kernels *k,
                       hst_executor *const *ex, enum hst_precision precision)
{
    static const size_t caches[] = {1, 4000, 60000, 1 << 24};
    const size_t n = hst_shape_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    const char *isa = hst_kernels_isa(k), *numbers = hst_precision_names[precision];
    const int at = (int)(c - cases);
    float *x = randoms(hst_shape_floats(c->in), 99);
    float *first = outcome(g, k, x, (way){precision, caches[0], NULL});
    float *want = by_windows(g, c, k, x, first);
    for (size_t i = 0; precision == HST_PRECISION_FP32 && i < n; i++)
        if (!is_right(c, first[n + i], want[i]))
            fail_msg("%s: case %d: output %zu is %g, not %g", isa, at, i, (double)first[n + i],
                     (double)want[i]);
    if (!is_near(first + n, want, n))
        fail_msg("%s: case %d: outputs of %s are far away", isa, at, numbers);
    for (size_t j = 0; j < sizeof caches / sizeof *caches; j++)
        for (int i = 0; i < N_THREADS; i++) {
            float *y = outcome(g, k, x, (way){precision, caches[j], ex[i]});
            if (memcmp(y, first, 2 * n * sizeof *y))
                fail_msg("%s: case %d: other bits in %s with a cache of %zu and %d threads", isa,
                         at, numbers, caches[j], hst_executor_threads(ex[i]));
            free(y);
        }
    free(first);
    free(want);
    free(x);
}

static void compare(const conv_case *c, const hst_kernels *k, hst_executor *const *ex)
{
    hst_graph *g = graph_of(c);
    compare_in(c, g, k, ex, HST_PRECISION_FP32);
    compare_in(c, g, k, ex, HST_PRECISION_BF16);
    hst_graph_free(g);
}

static void convolutions_are_sums_of_windows(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_executor *ex[N_THREADS] = {NULL, hst_executor_new(2, &e), hst_executor_new(7, &e)};
    assert_true(ex[1] && ex[2]);
    for (int i = 0; hst_kernels_name(i, NULL); i++) {
        const hst_kernels *k = hst_kernels_find(hst_kernels_name(i, NULL));
        for (size_t c = 0; k && c < sizeof cases / sizeof *cases; c++)
            compare(&cases[c], k, ex);
    }
    hst_executor_free(ex[1]);
    hst_executor_free(ex[2]);
}

static void only_winograd_has_bits_of_its_own(void **state)
{
    (void)state;
    hst_err e = {0};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        hst_graph *g = graph_of(&cases[c]);
        hst_plan *p = hst_plan_new(g, hst_kernels_best(), &e);
        check_ok(!p, &e);
        assert_int_equal(hst_plan_numerics(p) > 0, is_winograd(&cases[c]));
        hst_plan_free(p);
        hst_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions_are_sums_of_windows),
                                       cmocka_unit_test(only_winograd_has_bits_of_its_own)};
    return cmocka_run_group_tests_name("conv", tests, NULL, NULL);
}
