/* nn: networks with products in 8 bits. However a plan is cut, and however many threads run it, the
 * bits are the same; features lie near those in float32. */
#include "learn_plain.h"
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"
#include "nn/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 3 };

/* What is compared; each_isa() takes no argument. */
static struct network {
    const char *name;
    const hst_graph *graph;
    const float *x; /* [PICTURES] */
    size_t in, out;
    double least_cosine;
} network;

/* The features of the first picture. */
static float *features(const hst_kernels *k, const hst_plan_options *o, hst_executor *ex)
{
    hst_err err = {0};
    hst_plan *p = hst_plan_make(network.graph, k, o, &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new_together(p, hst_executor_threads(ex), &err);
    check_ok(w == NULL, &err);
    float *y = calloc(network.out, sizeof *y);
    if (ex)
        hst_plan_run_together(p, w, ex, network.x, y);
    else
        hst_plan_run(p, w, network.x, 1, y);
    hst_work_free(w);
    hst_plan_free(p);
    return y;
}

static hst_range *ranges_of(const hst_kernels *k)
{
    hst_err err = {0};
    hst_plan_options o = hst_plan_defaults();
    o.fuse = 0;
    hst_plan *p = hst_plan_make(network.graph, k, &o, &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err);
    hst_spread *all = hst_spread_new(network.graph, NULL, &err);
    check_ok(w == NULL || all == NULL, &err);
    float *y = calloc(network.out, sizeof *y);
    for (size_t i = 0; i < PICTURES; i++) {
        hst_spread *one = hst_spread_new(network.graph, NULL, &err);
        hst_plan_run_watched(p, w, network.x + i * network.in, y, hst_spread_add, one);
        hst_spread_merge(all, one);
        hst_spread_free(one);
    }
    hst_range *r = calloc((size_t)hst_graph_n_nodes(network.graph), sizeof *r);
    hst_spread_ranges(all, r);
    hst_spread_free(all);
    hst_work_free(w);
    hst_plan_free(p);
    free(y);
    return r;
}

static double cosine(const float *a, const float *b)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < network.out; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

static void compare(const hst_kernels *k)
{
    hst_err err = {0};
    hst_range *ranges = ranges_of(k);
    hst_plan_options o = hst_plan_defaults();
    float *exact = features(k, &o, NULL);
    o.precision = HST_PRECISION_INT8;
    float *unknown = features(k, &o, NULL);
    assert_memory_equal(unknown, exact, network.out * sizeof *exact); /* without ranges: float32 */
    o.ranges = ranges;
    float *want = features(k, &o, NULL);
    printf("%s, %s: cosine %.5f\n", network.name, k->name, cosine(want, exact));
    assert_true(cosine(want, exact) >= network.least_cosine);
    assert_memory_not_equal(want, exact, network.out * sizeof *exact);
    for (int way = 0; way < 6; way++) {
        hst_plan_options other = o;
        other.fuse = way % 2;
        other.cache_bytes = way < 2 ? 16 * 1024 : o.cache_bytes;
        hst_executor *ex = way < 4 ? NULL : hst_executor_new(way == 4 ? 2 : 3, &err);
        float *got = features(k, &other, ex);
        assert_memory_equal(got, want, network.out * sizeof *got);
        free(got);
        hst_executor_free(ex);
    }
    free(want);
    free(unknown);
    free(exact);
    free(ranges);
}

static void check(const char *name, const hst_graph *g, const float *x, double least_cosine)
{
    network = (struct network){name,
                               g,
                               x,
                               plain_floats(hst_graph_shape(g, 0)),
                               plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1)),
                               least_cosine};
    each_isa(compare);
}

static void made_up_networks(void **state)
{
    (void)state;
    static const char *const families[] = {"mobilenet_v2", "efficientnet_b0", "resnet18"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        hst_err err = {0};
        hst_arch a = {.size = {64, 64}, .cnn = {1, HST_PAD_TF, 1e-3}};
        a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
        snprintf(a.family, sizeof a.family, "%s", families[i]);
        hst_graph *g = hst_arch_graph(&a, &err);
        check_ok(g == NULL, &err);
        random_params(g, 7 + i);
        float *x = random_floats(PICTURES * plain_floats(hst_graph_shape(g, 0)), 11);
        check(families[i], g, x, 0.98);
        free(x);
        hst_graph_free(g);
    }
}

static void a_trained_network(void **state)
{
    (void)state;
    const char *file = "fixtures/mobilenet_v2_1.0_224/huggingface/google--mobilenet_v2_1.0_224";
    hst_err err = {0};
    char *path = shared_path(file);
    if (!path)
        skip_shared(file);
    char *photos = shared_path("fixtures/mobilenet_v2_1.0_224/golden/inputs_pm1_nhwc.npy");
    npy x = npy_read(photos);
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = hst_backbone_open(ctx, path, &err);
    check_ok(b == NULL, &err);
    check("trained mobilenet_v2", b->graph, x.data, 0.99);
    hst_backbone_free(b);
    hst_close(ctx);
    free(x.data);
    free(photos);
    free(path);
}

/* ---- ranges ---- */

/* A graph of one 1x1 product, and numbers that it reads. */
static hst_range range_of(const float *x, size_t n)
{
    hst_err err = {0};
    hst_range r[2];
    hst_graph *g = hst_graph_new(&err);
    const hst_conv conv = {.kernel = 1, .stride = 1, .channels = 1};
    int at = hst_graph_input(g, (hst_shape){1, 1, 4}, &err);
    at = hst_graph_conv2d(g, at, &conv, "conv", &err);
    check_ok(at < 0 || hst_graph_finish(g, &err), &err);
    hst_spread *s = hst_spread_new(g, NULL, &err);
    check_ok(s == NULL, &err);
    hst_spread_add(s, 0, x, n);
    hst_spread_ranges(s, r);
    hst_spread_free(s);
    hst_graph_free(g);
    return r[1];
}

static void ranges(void **state)
{
    (void)state;
    enum { N = 20000, MANY = 2000000 };
    float *x = calloc(N + 1, sizeof *x);
    hst_range r = range_of(x, 0);
    assert_true(r.least == 0 && r.most == 0); /* nothing was seen */
    r = range_of(x, N);
    assert_true(r.most < 1e-30f); /* nothing but 0 */
    for (int i = 0; i < N; i++)
        x[i] = (float)i / N * 6;
    r = range_of(x, N); /* every number is worth the same: all are kept, to the end of a bin */
    assert_true(r.least == 0 && r.most >= 5.9997f && r.most <= 6.5f);
    for (int i = 0; i < N; i++)
        x[i] = (float)i / N * 4 - 3;
    r = range_of(x, N);
    assert_true(r.least <= -3 && r.least >= -3.25f && r.most >= 0.9999f && r.most <= 1.125f);
    const float odd[] = {INFINITY, -INFINITY, NAN}; /* these are in no range */
    for (int i = 0; i < 3; i++) {
        x[N] = odd[i];
        const hst_range same = range_of(x, N + 1);
        assert_memory_equal(&same, &r, sizeof r);
    }
    x[N] = 40; /* one far away, cut off, costs more than a coarser rounding of a few others ... */
    r = range_of(x, N + 1);
    assert_true(r.most >= 40 && r.most <= 42);
    free(x);
    x = calloc(MANY, sizeof *x);
    for (int i = 0; i < MANY; i++)
        x[i] = (float)i / MANY;
    x[0] = 40; /* ... and of many: (40 - m)^2 + MANY (m / 255)^2 / 12 is least at m = 11.2 */
    r = range_of(x, MANY);
    assert_true(r.most >= 10.5f && r.most <= 12);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(made_up_networks),
                                       cmocka_unit_test(a_trained_network)};
    return cmocka_run_group_tests_name("int8", tests, NULL, NULL);
}
