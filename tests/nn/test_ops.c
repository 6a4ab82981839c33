/* nn: activations, poolings, grouped and standardised convolutions, group norm, scaling of channels
 * and what lies between branches, in plans and in learning plans, against their definitions in
 * double. */
#include "learn_plain.h"
#include "support.h"

#include "nn/op.h"
#include "nn/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The kernel of pooling; plain where the op is no pooling. */
static const hst_conv pools[] = {{.kernel = 3, .stride = 2, .padding = HST_PAD_SYMMETRIC},
                                 {.kernel = 3, .stride = 2, .padding = HST_PAD_TF},
                                 {.kernel = 2, .stride = 1, .padding = HST_PAD_TF},
                                 {.kernel = 2, .stride = 1, .padding = HST_PAD_ZEROS},
                                 {.kernel = 3, .stride = 2, .padding = HST_PAD_ZEROS},
                                 {.kernel = 3, .stride = 2, .padding = HST_PAD_SYMMETRIC_ZEROS},
                                 {.kernel = 1, .stride = 2, .padding = HST_PAD_TF},
                                 {.kernel = 1, .stride = 1, .padding = HST_PAD_VALID},
                                 {.kernel = 1, .stride = 1, .padding = HST_PAD_TF},
                                 {.kernel = 3, .stride = 1, .padding = HST_PAD_TF},
                                 {.kernel = 3, .stride = 1, .padding = HST_PAD_SYMMETRIC_ZEROS},
                                 {.kernel = 5, .stride = 3, .padding = HST_PAD_ZEROS}};
static const hst_pick picks[] = {{2, 0}, {2, 1}, {3, 2}, {1, 0}};
/* Activations, then poolings by the largest and by the mean, then picks and a factor. */
enum {
    N_POOLS = sizeof pools / sizeof *pools,
    N_ACTS = HST_ACTS - 1,
    MEANS = N_ACTS + N_POOLS,
    PICKS = MEANS + N_POOLS,
    FACTOR = PICKS + sizeof picks / sizeof *picks,
    N_OPS
};

/* A graph of its input and one op. */
static hst_graph *one_op(int op, hst_shape in)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, in, &e);
    x = op < N_ACTS   ? hst_graph_activation(g, x, (enum hst_act)(op + 1), &e)
        : op < MEANS  ? hst_graph_max_pool(g, x, &pools[op - N_ACTS], &e)
        : op < PICKS  ? hst_graph_average_pool(g, x, &pools[op - MEANS], &e)
        : op < FACTOR ? hst_graph_pick(g, x, &picks[op - PICKS], &e)
                      : hst_graph_times(g, x, 0.17, &e);
    assert_int_equal(x, 1);
    check_ok(hst_graph_finish(g, &e), &e);
    return g;
}

/* The plan's output for one image, by one thread and by three: the same bits. To be freed. */
static float *run(const hst_graph *g, const hst_kernels *k, const float *x)
{
    hst_err e = {0};
    hst_plan *p = hst_plan_new(g, k, &e);
    check_ok(!p, &e);
    size_t n = plain_floats(hst_plan_output(p));
    hst_executor *ex = hst_executor_new(3, &e);
    hst_work *w = hst_work_new(p, &e),
             *many = hst_work_new_together(p, hst_executor_threads(ex), &e);
    float *y = malloc(n * sizeof *y), *same = malloc(n * sizeof *same);
    hst_plan_run(p, w, x, 1, y);
    hst_plan_run_together(p, many, ex, x, same);
    assert_memory_equal(same, y, n * sizeof *y);
    free(same);
    hst_work_free(w);
    hst_work_free(many);
    hst_executor_free(ex);
    hst_plan_free(p);
    return y;
}

/* e^x and one division, each within a few units of the last place (2^-24). */
static const double few_units = 4e-7;

static void check_op(int op, hst_shape in)
{
    hst_graph *g = one_op(op, in);
    const size_t n = plain_floats(in), out = plain_floats(hst_graph_shape(g, 1));
    float *x = random_floats(n, (uint64_t)op);
    for (size_t i = 0; i < n; i++)
        x[i] *= i % 3 == 0 ? 100 : i % 3 == 1 ? 5 : 1;
    plain p = plain_of(g);
    double *want = plain_features(&p, x, 1);
    float *y = run(g, hst_kernels_best(), x);
    const int is_gelu = op < N_ACTS && op + 1 >= HST_ACT_GELU;
    for (size_t i = 0; is_gelu && i < n; i++) {
        y[i] /= x[i]; /* the part of x that they let through (kernels.h) */
        want[i] /= x[i];
    }
    const int is_mean = op >= MEANS && op < PICKS; /* of numbers up to 200 of either sign */
    check_close_f64(y, want, out,
                    is_gelu   ? few_units
                    : is_mean ? 200 * few_units
                              : 1e-30,
                    few_units, hst_graph_op_name(g, 1));
    free(y);
    free(want);
    x[n / 2] = NAN; /* reaches what reads it, and nothing else */
    want = plain_features(&p, x, 1);
    y = run(g, hst_kernels_best(), x);
    for (size_t i = 0; i < out; i++)
        assert_int_equal(!!isnan(y[i]), !!isnan(want[i]));
    free(y);
    free(want);
    plain_free(&p);
    free(x);
    hst_graph_free(g);
}

static void ops_equal_their_definitions(void **state)
{
    (void)state;
    static const hst_shape shapes[] = {{1, 1, 1}, {1, 1, 17}, {7, 5, 3}, {2, 9, 16}, {13, 8, 33}};
    for (int op = 0; op < N_OPS; op++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            check_op(op, shapes[i]);
}

static void activations_at_their_corners(void **state)
{
    (void)state;
    static const float x[] = {-INFINITY, -1e30f, -3, -0.0f, 0, 3, 6, 1e30f, INFINITY};
    static const float want[][9] = {[HST_ACT_RELU6] = {0, 0, 0, 0, 0, 3, 6, 6, 6},
                                    [HST_ACT_RELU] = {0, 0, 0, 0, 0, 3, 6, 1e30f, INFINITY},
                                    [HST_ACT_HSIGMOID] = {0, 0, 0, 0.5f, 0.5f, 1, 1, 1, 1}};
    for (int act = HST_ACT_RELU6; act <= HST_ACT_HSIGMOID; act++) {
        hst_graph *g = one_op(act - 1, (hst_shape){1, 1, 9});
        float *y = run(g, hst_kernels_best(), x);
        for (int i = 0; act != HST_ACT_SIGMOID && i < 9; i++)
            assert_true(y[i] == want[act][i]);
        for (int i = 0; i < 9; i++)
            assert_true(y[i] >= 0);
        free(y);
        hst_graph_free(g);
    }
}

/* x times what squeeze-and-excitation makes of its averages. */
static int excite(hst_graph *g, int x, enum hst_act gate, const char *names[2])
{
    hst_err e = {0};
    const int channels = hst_graph_shape(g, x).c;
    const hst_conv less = {.kernel = 1, .stride = 1, .channels = 5, .bias = 1};
    const hst_conv more = {.kernel = 1, .stride = 1, .channels = channels, .bias = 1};
    int s = hst_graph_global_average(g, x, &e);
    s = hst_graph_conv2d(g, s, &less, names[0], &e);
    s = hst_graph_activation(g, s, gate == HST_ACT_SIGMOID ? HST_ACT_SWISH : HST_ACT_RELU, &e);
    s = hst_graph_conv2d(g, s, &more, names[1], &e);
    s = hst_graph_activation(g, s, gate, &e);
    return hst_graph_scale(g, x, s, &e);
}

static int unit(hst_graph *g, int x, hst_conv c, enum hst_act a, const char *names[2])
{
    hst_err e = {0};
    x = c.groups > 0     ? hst_graph_grouped(g, x, &c, names[0], &e)
        : c.channels > 0 ? hst_graph_conv2d(g, x, &c, names[0], &e)
                         : hst_graph_depthwise(g, x, &c, names[0], &e);
    x = hst_graph_batchnorm(g, x, 1e-3, names[1], &e);
    return hst_graph_activation(g, x, a, &e);
}

#define NAMES(a, b) ((const char *[2]){a, b})

/* A residual block and two inverted ones with squeeze-and-excitation. */
static hst_graph *whole(int px, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv wide = {7, 2, 9, pad, 1}, square = {3, 1, 9, pad, 0},
                   expand = {1, 1, 21, pad, 0}, deep3 = {3, 1, 0, pad, 0},
                   deep5 = {5, 2, 0, pad, 0}, project = {1, 1, 9, pad, 0}, pool = {3, 2, 0, pad, 0};
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = unit(g, x, wide, HST_ACT_RELU, NAMES("stem", "stem_BN"));
    x = hst_graph_max_pool(g, x, &pool, &e);
    int kept = x;
    x = unit(g, x, square, HST_ACT_RELU, NAMES("a", "a_BN"));
    x = unit(g, x, square, HST_ACT_NONE, NAMES("b", "b_BN"));
    x = hst_graph_activation(g, hst_graph_add(g, x, kept, &e), HST_ACT_RELU, &e);
    kept = x;
    x = unit(g, x, expand, HST_ACT_HSWISH, NAMES("c", "c_BN"));
    x = unit(g, x, deep3, HST_ACT_HSWISH, NAMES("d", "d_BN"));
    x = excite(g, x, HST_ACT_HSIGMOID, NAMES("d1", "d2"));
    x = unit(g, x, project, HST_ACT_NONE, NAMES("e", "e_BN"));
    x = hst_graph_add(g, x, kept, &e);
    x = unit(g, x, expand, HST_ACT_SWISH, NAMES("f", "f_BN"));
    x = unit(g, x, deep5, HST_ACT_SWISH, NAMES("g", "g_BN"));
    x = excite(g, x, HST_ACT_SIGMOID, NAMES("g1", "g2"));
    x = unit(g, x, project, HST_ACT_NONE, NAMES("h", "h_BN"));
    x = unit(g, x, expand, HST_ACT_HSWISH, NAMES("i", "i_BN"));
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 4); /* no value is so near a kink that float32 is on its other side */
    return g;
}

/* One value behind itself, the input and others, among them one that is read elsewhere too; affine
 * behind a ReLU and by itself; every padding there is. */
static hst_graph *joined(int px, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv five = {3, 1, 5, pad, 0}, deep = {3, 1, 0, pad, 0}, last = {1, 1, 21, pad, 0},
                   four = {4, 3, 7, HST_PAD_VALID, 0}, two = {2, 1, 7, HST_PAD_TF, 0},
                   pool = {2, 1, 0, HST_PAD_ZEROS, 0};
    const int in = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    int a = unit(g, in, five, HST_ACT_RELU, NAMES("a", "a_BN"));
    a = hst_graph_affine(g, a, "a_affine", &e);
    const int b = unit(g, a, deep, HST_ACT_NONE, NAMES("b", "b_BN"));
    int x = hst_graph_concat(g, (int[]){a, in, b, a}, 4, &e);
    x = unit(g, x, four, HST_ACT_SWISH, NAMES("c", "c_BN"));
    x = hst_graph_affine(g, hst_graph_max_pool(g, x, &pool, &e), "c_affine", &e);
    x = unit(g, x, two, HST_ACT_RELU, NAMES("d", "d_BN"));
    x = unit(g, x, last, HST_ACT_SWISH, NAMES("e", "e_BN"));
    x = hst_graph_global_average(g, hst_graph_concat(g, &x, 1, &e), &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 5);
    return g;
}

/* Branches with windows of every form and no padding, poolings between them, what is added times a
 * number, activations in front of convolutions. */
static hst_graph *branched(int px, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const enum hst_padding zeros = pad == HST_PAD_TF ? HST_PAD_ZEROS : HST_PAD_SYMMETRIC_ZEROS;
    const hst_conv stem = {3, 2, 16, HST_PAD_VALID, 0}, square = {3, 1, 16, HST_PAD_VALID, 0},
                   flat = {1, 1, 5, pad, 0, 7}, high = {3, 1, 6, pad, 0, 1},
                   up = {1, 1, 16, pad, 1}, deep = {5, 2, 0, pad, 0}, half = {1, 1, 8, pad, 0},
                   last = {1, 1, 21, pad, 0}, pool = {3, 1, 0, pad, 0}, less = {3, 2, 0, zeros, 0};
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = unit(g, x, stem, HST_ACT_RELU, NAMES("a", "a_BN"));
    x = unit(g, x, square, HST_ACT_RELU, NAMES("b", "b_BN"));
    const int one = unit(g, x, flat, HST_ACT_RELU, NAMES("c", "c_BN"));
    const int two = unit(g, one, high, HST_ACT_RELU, NAMES("d", "d_BN"));
    const int mean = hst_graph_average_pool(g, x, &pool, &e);
    int y = hst_graph_concat(g, (int[]){one, two, mean, x}, 4, &e);
    y = hst_graph_times(g, hst_graph_conv2d(g, y, &up, "e", &e), 0.17, &e);
    x = hst_graph_activation(g, hst_graph_add(g, x, y, &e), HST_ACT_RELU, &e);
    x = hst_graph_times(g, x, -1.5, &e);
    const int kept = x;
    x = hst_graph_depthwise(g, hst_graph_activation(g, x, HST_ACT_RELU, &e), &deep, "f", &e);
    x = unit(g, x, half, HST_ACT_NONE, NAMES("f1", "f1_BN"));
    const int halves[] = {
        hst_graph_conv2d(g, hst_graph_pick(g, kept, &picks[0], &e), &half, "g", &e),
        hst_graph_conv2d(g, hst_graph_pick(g, kept, &picks[1], &e), &half, "h", &e)};
    const int skipped =
        hst_graph_batchnorm(g, hst_graph_concat(g, halves, 2, &e), 1e-3, "h_BN", &e);
    x = hst_graph_concat(g, (int[]){x, skipped, hst_graph_average_pool(g, kept, &less, &e)}, 3, &e);
    x = unit(g, x, last, HST_ACT_SWISH, NAMES("i", "i_BN"));
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 6);
    return g;
}

/* Groups of widths that fill vectors and of such that do not, of more and of less than they read,
 * with a bias and without, with every stride; values that are read twice. */
static hst_graph *grouped(int px, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv stem = {3, 2, 10, pad, 0}, narrow = {3, 1, 5, pad, 1, .groups = 5},
                   wide = {3, 1, 12, pad, 0, .groups = 1}, same = {3, 1, 12, pad, 0, .groups = 3},
                   single = {1, 1, 8, pad, 1, .groups = 2}, five = {5, 3, 12, pad, 0, .groups = 4},
                   three = {3, 3, 12, pad, 0, .groups = 4}, last = {1, 1, 21, pad, 0};
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = unit(g, x, stem, HST_ACT_RELU, NAMES("stem", "stem_BN"));
    int a = unit(g, x, narrow, HST_ACT_SWISH, NAMES("a", "a_BN"));
    x = hst_graph_concat(g, (int[]){x, a}, 2, &e);
    x = unit(g, x, wide, HST_ACT_RELU, NAMES("b", "b_BN"));
    a = unit(g, x, same, HST_ACT_NONE, NAMES("c", "c_BN"));
    x = hst_graph_activation(g, hst_graph_add(g, x, a, &e), HST_ACT_RELU, &e);
    a = hst_graph_grouped(g, x, &single, "d", &e);
    x = unit(g, x, five, HST_ACT_RELU6, NAMES("e", "e_BN"));
    a = unit(g, a, three, HST_ACT_RELU, NAMES("f", "f_BN"));
    x = unit(g, hst_graph_add(g, x, a, &e), last, HST_ACT_SWISH, NAMES("g", "g_BN"));
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 6);
    return g;
}

/* Standardised weights and group norm: a residual block with its norms in front, of one channel a
 * group and of many, with a bias, behind which no norm is, and at Winograd's size. */
static hst_graph *standardised(int px, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv stem = {7, 2, 12, pad, 1, .epsilon = 1e-8}, last = {1, 1, 21, pad, 0},
                   square = {3, 1, 12, pad, 0, .epsilon = 1e-8},
                   strided = {1, 2, 16, pad, 0, .epsilon = 0.01},
                   wide = {3, 2, 16, pad, 0, .epsilon = 1e-8};
    const hst_group_norm four = {1e-5, 4}, twelve = {1e-2, 12}, one = {1e-5, 1};
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = hst_graph_standardised(g, x, &stem, "stem", &e);
    int a = hst_graph_groupnorm(g, x, &four, "a", &e);
    a = hst_graph_activation(g, a, HST_ACT_RELU, &e);
    const int kept = a;
    a = hst_graph_standardised(g, a, &square, "b", &e);
    a = hst_graph_groupnorm(g, a, &twelve, "c", &e);
    a = hst_graph_activation(g, a, HST_ACT_SWISH, &e);
    a = hst_graph_standardised(g, a, &wide, "d", &e);
    x = hst_graph_add(g, a, hst_graph_standardised(g, kept, &strided, "e", &e), &e);
    x = hst_graph_groupnorm(g, x, &one, "f", &e);
    x = unit(g, x, last, HST_ACT_SWISH, NAMES("g", "g_BN"));
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 7);
    return g;
}

typedef hst_graph *make_graph(int px, enum hst_padding pad);
static make_graph *const graphs[] = {whole, joined, branched, grouped, standardised};
enum { N_GRAPHS = sizeof graphs / sizeof *graphs };

static void network_on(const hst_kernels *k, make_graph *make)
{
    for (int px = 17; px <= 40; px += 11)
        for (int pad = HST_PAD_TF; pad <= HST_PAD_SYMMETRIC; pad++) {
            hst_graph *g = make(px, (enum hst_padding)pad);
            float *x = random_floats(plain_floats(hst_graph_shape(g, 0)), 1), *y = run(g, k, x);
            plain p = plain_of(g);
            double *want = plain_features(&p, x, 1);
            check_close_f64(y, want, 21, 2e-5, 2e-5, hst_kernels_isa(k));
            free(want);
            plain_free(&p);
            free(x);
            free(y);
            hst_graph_free(g);
        }
}

static void networks_on(const hst_kernels *k)
{
    for (int i = 0; i < N_GRAPHS; i++)
        network_on(k, graphs[i]);
}

static void networks_equal_their_definitions(void **state)
{
    (void)state;
    each_isa(networks_on);
}

enum { IMAGES = 5, FEATURES = 21, EVERY = 29 }; /* one in so many derivatives is looked at */

/* Central differences of the loss; the learning parameters are all of the graph's. */
static void check_gradient(hst_graph *g, const float *grad, enum hst_bn_mode mode, const float *x,
                           const float *weight)
{
    plain p = plain_of(g);
    double worst = 0, most = 0, h = 1e-6;
    p.batch_from = mode == HST_BN_BATCH ? 0 : p.batch_from;
    for (size_t i = 0; i < p.n_learning; i += EVERY) {
        double was = p.learning[i];
        p.learning[i] = was + h;
        double up = plain_loss(&p, x, IMAGES, weight);
        p.learning[i] = was - h;
        double want = (up - plain_loss(&p, x, IMAGES, weight)) / (2 * h);
        p.learning[i] = was;
        worst = fmax(worst, fabs((double)grad[i] - want));
        most = fmax(most, fabs(want));
    }
    assert_true(worst / most < 1e-5); /* as in test_learn.c */
    plain_free(&p);
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    for (int c = 0; c < 8 * N_GRAPHS; c++) {
        hst_err e = {0};
        hst_graph *g = graphs[c / 8](17, c & 1 ? HST_PAD_SYMMETRIC : HST_PAD_TF);
        hst_learn_options o = hst_learn_defaults();
        o.batchnorm = c & 2 ? HST_BN_BATCH : HST_BN_FROZEN;
        o.fuse = !(c & 4);
        o.max_batch = IMAGES;
        o.executor = hst_executor_new(2, &e);
        check_ok(!o.executor, &e);
        hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
        check_ok(!l, &e);
        size_t in = plain_floats(hst_graph_shape(g, 0));
        float *x = random_floats(in * IMAGES, 1), *weight = random_floats(FEATURES * IMAGES, 2);
        float features[FEATURES * IMAGES], *grad = malloc(hst_learn_count(l) * sizeof *grad);
        check_ok(hst_learn_forward(l, x, IMAGES, features, &e), &e);
        check_ok(hst_learn_backward(l, weight, grad, &e), &e);
        check_gradient(g, grad, o.batchnorm, x, weight);
        hst_learn_free(l);
        hst_executor_free(o.executor);
        hst_graph_free(g);
        free(x);
        free(weight);
        free(grad);
    }
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv none = {.kernel = 0, .stride = 1}, gaps = {.kernel = 2, .stride = 3},
                   large = {.kernel = 16, .stride = 1}, pair = {.kernel = 2, .stride = 2};
    int x = hst_graph_input(g, (hst_shape){4, 4, 3}, &e);
    assert_int_equal(hst_graph_max_pool(g, x, &none, &e), HST_EMODEL);
    assert_int_equal(hst_graph_max_pool(g, x, &gaps, &e), HST_EMODEL);
    assert_int_equal(hst_graph_max_pool(g, x, &large, &e), HST_EMODEL);
    const hst_conv flat = {.kernel = 1, .stride = 1, .wide = 3}, wide = {1, 1, 2, .wide = 65};
    assert_int_equal(hst_graph_max_pool(g, x, &flat, &e), HST_EMODEL);
    assert_int_equal(hst_graph_depthwise(g, x, &flat, "a", &e), HST_EMODEL);
    assert_int_equal(hst_graph_conv2d(g, x, &wide, "a", &e), HST_EMODEL);
    assert_int_equal(hst_graph_average_pool(g, x, &gaps, &e), HST_EMODEL);
    assert_int_equal(hst_graph_average_pool(g, x, &flat, &e), HST_EMODEL);
    assert_int_equal(hst_graph_pick(g, x, &(hst_pick){2, 2}, &e), HST_EMODEL);
    assert_int_equal(hst_graph_pick(g, x, &(hst_pick){0, 0}, &e), HST_EMODEL);
    assert_int_equal(hst_graph_scale(g, x, x, &e), HST_EMODEL);
    int v = hst_graph_global_average(g, x, &e);
    assert_true(hst_graph_scale(g, x, v, &e) > 0);
    assert_true(hst_graph_max_pool(g, x, &pair, &e) > 0);
    assert_int_equal(hst_graph_activation(g, x, HST_ACT_NONE, &e), x);
    assert_int_equal(hst_graph_concat(g, (int[]){x, v}, 2, &e), HST_EMODEL);
    assert_int_equal(hst_graph_concat(g, (int[]){99, x}, 2, &e), HST_EMODEL);
    assert_int_equal(hst_graph_concat(g, &x, 0, &e), HST_EMODEL);
    assert_int_equal(hst_graph_concat(g, &x, HST_MAX_INPUTS + 1, &e), HST_EMODEL);
    const hst_conv thirds = {3, 1, 4, HST_PAD_TF, 0, .groups = 3}, none_at_all = {3, 1, 3};
    assert_int_equal(hst_graph_grouped(g, x, &thirds, "thirds", &e), HST_EMODEL);
    assert_int_equal(hst_graph_grouped(g, x, &none_at_all, "none", &e), HST_EMODEL);
    const hst_group_norm two = {1e-5, 2}, exact = {0, 3};
    assert_int_equal(hst_graph_groupnorm(g, x, &two, "two", &e), HST_EMODEL);
    assert_int_equal(hst_graph_groupnorm(g, x, &exact, "exact", &e), HST_EMODEL);
    assert_int_equal(hst_graph_standardised(g, x, &none_at_all, "none", &e), HST_EMODEL);
    int twice = hst_graph_concat(g, (int[]){v, v}, 2, &e);
    assert_int_equal(hst_graph_shape(g, twice).c, 6);
    assert_int_equal(hst_graph_n_inputs(g, twice), 2);
    assert_int_equal(hst_graph_type(g, twice).n_dims, 1);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_equal_their_definitions),
        cmocka_unit_test(activations_at_their_corners),
        cmocka_unit_test(networks_equal_their_definitions),
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
