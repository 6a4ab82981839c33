/* nn: learning in bf16. Its products against plain loops that round the same numbers and add in the
 * same order, bit by bit; whole networks against learning in fp32, which central differences check;
 * bits that depend on no cut and no thread. */
#include "learn_plain.h"
#include "support.h"

#include "amx_software.h"
#include "kernels/bf16.h"
#include "nn/learn/matrix.h"
#include "nn/learn/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- products ---- */

/* Whether sums have the order of kernels/products.h. */
static int has_order(hst_multiplier m)
{
    return strcmp(m.low->name, "amx") != 0 && strcmp(m.low->name, "neonbf16") != 0;
}

/* sum += a[i] b[i] of rounded numbers, a pair's second first, one rounding an addition. */
static float plain_dot(float sum, const float *a, size_t to_a, const float *b, size_t to_b,
                       size_t n)
{
    volatile float s = sum;
    for (size_t i = 0; i < n + n % 2; i++)
        if ((i ^ 1) < n)
            s += hst_bf16_rounded(a[(i ^ 1) * to_a]) * hst_bf16_rounded(b[(i ^ 1) * to_b]);
    return s;
}

/* Bit by bit, or within n roundings of the sum's size where sums have another order. */
static void check_numbers(hst_multiplier m, const float *got, const float *want, size_t n, int sums)
{
    const double room = has_order(m) ? 0 : sums * 0x1p-24 * 4 * 4 * sums;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= room))
            fail_msg("%s: number %zu is %.9g, not %.9g", m.low->name, i, (double)got[i],
                     (double)want[i]);
}

static float *scratch_of(size_t floats)
{
    hst_err e = {0};
    float *p = hst_alloc(floats, sizeof *p, &e);
    check_ok(!p, &e);
    return p;
}

/* y = gate(x w + bias + y), w as it is and as a transpose. */
static void check_product(hst_multiplier m, int transposed)
{
    enum { ROWS = 130, K = 37, N = 75 };
    float *x = random_floats(ROWS * K, 1), *w = random_floats(K * N, 2),
          *bias = random_floats(N, 3);
    float *y = random_floats(ROWS * N, 4), *gate = random_floats(ROWS * N, 5);
    float *want = malloc(ROWS * N * sizeof *want);
    float *packed = scratch_of(hst_matrix_floats(m, K, N));
    float *scratch = scratch_of(hst_multiply_floats(m, K));
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < N; c++) {
            const float *column = transposed ? w + c * K : w + c;
            const float s =
                plain_dot(transposed ? 0 : bias[c], x + r * K, 1, column, transposed ? 1 : N, K);
            want[r * N + c] = gate[r * N + c] > 0 && gate[r * N + c] < 6 ? s + y[r * N + c] : 0;
        }
    const float *at = transposed ? hst_matrix_pack_transposed(m, w, N, K, packed)
                                 : hst_matrix_pack(m, w, bias, K, N, packed);
    assert_ptr_equal(at, hst_matrix_bias(m, packed, K, N));
    hst_multiply(m,
                 &(hst_gemm){.x = x,
                             .ldx = K,
                             .w = packed,
                             .bias = at,
                             .y = y,
                             .ldy = N,
                             .residual = y,
                             .rows = ROWS,
                             .k = K,
                             .n = N,
                             .gate = gate,
                             .ld_gate = N,
                             .gate_top = 6},
                 scratch);
    check_numbers(m, y, want, ROWS * N, K);
    float *all[] = {x, w, bias, y, gate, want, packed, scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* dw += a' b, rows coming `piece` at a time; chunks of 254 as 256 are the most of 506. */
static void check_gradient(hst_multiplier m, size_t piece)
{
    enum { ROWS = 507, K = 35, N = 41, LD = N + 2, CHUNK = 254 };
    float *a = random_floats(ROWS * K, 1), *b = random_floats(ROWS * N, 2);
    float *dw = random_floats(K * LD, 3), *want = random_floats(K * LD, 3);
    float *scratch = scratch_of(hst_gradient_floats(m, K, N));
    for (size_t from = 0; from < ROWS; from += CHUNK) {
        const size_t n = ROWS - from < CHUNK ? ROWS - from : CHUNK;
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < N; j++)
                want[i * LD + j] += plain_dot(0, a + from * K + i, K, b + from * N + j, N, n);
    }
    hst_gradient g = hst_gradient_begin(m, K, N, ROWS, scratch);
    g.dw = dw;
    g.ldw = LD;
    for (size_t at = 0, n; at < ROWS; at += n) {
        n = ROWS - at < piece ? ROWS - at : piece;
        hst_gradient_add(&g, a + at * K, K, b + at * N, N, n);
    }
    hst_gradient_end(&g);
    check_numbers(m, dw, want, K * LD, ROWS);
    float *all[] = {a, b, dw, want, scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void check_products(const hst_kernels *k)
{
    static const size_t pieces[] = {1, 2, 7, 49, 100, 253, 507};
    const hst_multiplier m = {k, k->products[HST_PRECISION_BF16]};
    check_product(m, 0);
    check_product(m, 1);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        check_gradient(m, pieces[i]);
}

static void products_equal_plain_loops(void **state)
{
    (void)state;
    hst_kernels tiles = *hst_kernels_find("portable");
    tiles.products[HST_PRECISION_BF16] = &amx_software;
    each_isa(check_products);
    check_products(&tiles);
}

/* ---- networks ---- */

static int unit(hst_graph *g, int x, hst_conv c, int deep, enum hst_act act, const char *name)
{
    hst_err e = {0};
    char norm[64];
    snprintf(norm, sizeof norm, "%s_BN", name);
    x = deep ? hst_graph_depthwise(g, x, &c, name, &e) : hst_graph_conv2d(g, x, &c, name, &e);
    x = hst_graph_batchnorm(g, x, 1e-3, norm, &e);
    return act == HST_ACT_NONE ? x : hst_graph_activation(g, x, act, &e);
}

/* 12 products one behind the other: a stem, inverted residuals (fused where the activation is a
 * clamp and norms are frozen), a 3x3 convolution, a last one with its average. Odd numbers of
 * pixels, so that pairs of them cross rows and bands. */
enum { FEATURES = 130, IMAGES = 6 };
static hst_graph *network(enum hst_act act)
{
    static const hst_conv expand = {1, 1, 104, HST_PAD_TF, 0}, narrow = {1, 1, 40, HST_PAD_TF, 0};
    hst_err e = {0};
    char name[32];
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){25, 21, 3}, &e);
    x = unit(g, x, (hst_conv){3, 2, 40, HST_PAD_TF, 0}, 0, act, "stem");
    for (int i = 0; i < 3; i++) {
        const int from = x;
        snprintf(name, sizeof name, "expand%d", i);
        x = unit(g, x, expand, 0, act, name);
        snprintf(name, sizeof name, "deep%d", i);
        x = unit(g, x, (hst_conv){i == 1 ? 5 : 3, i == 1 ? 2 : 1, 0, HST_PAD_TF, 0}, 1, act, name);
        snprintf(name, sizeof name, "project%d", i);
        x = unit(g, x, narrow, 0, HST_ACT_NONE, name);
        x = i == 1 ? x : hst_graph_add(g, x, from, &e);
    }
    x = unit(g, x, (hst_conv){3, 1, 72, HST_PAD_TF, 1}, 0, act, "wide");
    x = unit(g, x, (hst_conv){1, 1, FEATURES, HST_PAD_TF, 0}, 0, act, "last");
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 9);
    return g;
}

/* Every weight by up to 2^-9 of itself. */
static void move_weights(hst_learn *l)
{
    float *part = random_floats(hst_learn_count(l), 3), *w = hst_learn_params(l);
    for (size_t i = 0; i < hst_learn_count(l); i++)
        w[i] *= 1 + part[i] * 0x1p-9f;
    hst_learn_changed(l);
    free(part);
}

/* Features, then the gradient, of one step of network(act); to be freed. */
static float *step(enum hst_act act, const hst_kernels *k, const hst_learn_options *o, int moves,
                   size_t *n)
{
    hst_err e = {0};
    hst_graph *g = network(act);
    hst_learn *l = hst_learn_new(g, k, o, &e);
    check_ok(!l, &e);
    if (moves)
        move_weights(l);
    float *x = random_floats(IMAGES * plain_floats(hst_graph_shape(g, 0)), 1);
    float *dy = random_floats((size_t)IMAGES * FEATURES, 2);
    *n = (size_t)IMAGES * FEATURES + hst_learn_count(l);
    float *out = malloc(*n * sizeof *out);
    check_ok(hst_learn_forward(l, x, IMAGES, out, &e), &e);
    check_ok(hst_learn_backward(l, dy, out + (size_t)IMAGES * FEATURES, &e), &e);
    hst_learn_free(l);
    hst_graph_free(g);
    free(x);
    free(dy);
    return out;
}

static double apart(const float *got, const float *want, size_t n)
{
    double far = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        far += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    return sqrt(far / size);
}

/* Rounding moves a number by 2^-9 of itself at most. How far that takes features and gradients is
 * seen in fp32, with weights that are moved as much: where clamps are crossed and norms of the
 * batch cancel most of a gradient, it is many times 2^-9. In bf16 both operands of products are
 * rounded, forward and backward. */
static void check_network(const hst_kernels *k, enum hst_act act, enum hst_bn_mode batchnorm)
{
    hst_learn_options o = hst_learn_defaults();
    size_t n, in = (size_t)IMAGES * FEATURES;
    o.max_batch = IMAGES;
    o.batchnorm = batchnorm;
    float *want = step(act, k, &o, 0, &n), *moved = step(act, k, &o, 1, &n);
    o.precision = HST_PRECISION_BF16;
    float *low = step(act, k, &o, 0, &n);
    const double features = apart(low, want, in), gradient = apart(low + in, want + in, n - in);
    print_message("%s: features %.1e apart, gradients %.1e\n", k->name, features, gradient);
    assert_true(features > 1e-5 && features < 4 * apart(moved, want, in));
    assert_true(gradient > 1e-5 && gradient < 4 * apart(moved + in, want + in, n - in));
    for (int threads = 1; threads <= 3; threads++) {
        static const size_t caches[] = {1, 60000, 400000, 4000000};
        hst_err e = {0};
        o.executor = hst_executor_new(threads, &e);
        check_ok(!o.executor, &e);
        for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
            o.cache_bytes = caches[i];
            float *again = step(act, k, &o, 0, &n);
            assert_memory_equal(again, low, n * sizeof *low);
            free(again);
        }
        hst_executor_free(o.executor);
    }
    free(want);
    free(moved);
    free(low);
}

static void check_networks(const hst_kernels *k)
{
    check_network(k, HST_ACT_RELU6, HST_BN_FROZEN);
    check_network(k, HST_ACT_RELU6, HST_BN_BATCH);
    check_network(k, HST_ACT_SWISH, HST_BN_FROZEN);
}

static void networks_are_near_fp32(void **state)
{
    (void)state;
    each_isa(check_networks);
}

static void nothing_learns_in_8_bits(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = network(HST_ACT_RELU6);
    hst_learn_options o = hst_learn_defaults();
    o.precision = HST_PRECISION_INT8;
    assert_null(hst_learn_new(g, hst_kernels_best(), &o, &e));
    assert_int_equal(e.code, HST_EARG);
    hst_graph_free(g);
}

static void tables_of_one_instruction_set_agree(void **state)
{
    (void)state;
    const hst_kernels *rounds = hst_kernels_find("avx512"), *has = hst_kernels_find("avx512bf16");
    hst_learn_options o = hst_learn_defaults();
    size_t n;
    if (!has) {
        print_message("skipped: this processor has no VDPBF16PS\n");
        skip();
    }
    o.max_batch = IMAGES;
    o.precision = HST_PRECISION_BF16;
    float *want = step(HST_ACT_RELU6, rounds, &o, 0, &n),
          *got = step(HST_ACT_RELU6, has, &o, 0, &n);
    assert_memory_equal(got, want, n * sizeof *got);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_plain_loops),
        cmocka_unit_test(networks_are_near_fp32),
        cmocka_unit_test(nothing_learns_in_8_bits),
        cmocka_unit_test(tables_of_one_instruction_set_agree),
    };
    return cmocka_run_group_tests_name("learn in bf16", tests, NULL, NULL);
}
