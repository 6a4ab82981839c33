/* nn: whole networks against the same network in double precision, with every instruction set: less
 * than 1e-5 of the largest feature, whatever is folded, fused and rounded on the way; in bf16 at a
 * cosine of 0.9995. */
#include "learn_plain.h"
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What is compared; each_isa() takes no argument. */
static struct network {
    const char *name;
    const hst_graph *graph;
    const float *x;
    const double *want;
    size_t n;
} network;

static void compare(const hst_kernels *k)
{
    hst_err err = {0};
    hst_plan *p = hst_plan_new(network.graph, k, &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err);
    check_ok(w == NULL, &err);
    float *y = calloc(network.n, sizeof *y);
    hst_plan_run(p, w, network.x, 1, y);
    double far = 0, largest = 0;
    for (size_t i = 0; i < network.n; i++) {
        far = fmax(far, fabs(y[i] - network.want[i]));
        largest = fmax(largest, fabs(network.want[i]));
        assert_true(isfinite(y[i]));
    }
    printf("%s, %s: %.1e of the largest feature\n", network.name, k->isa, far / largest);
    assert_true(largest > 0.1);
    assert_true(far < 1e-5 * largest);
    free(y);
    hst_work_free(w);
    hst_plan_free(p);
}

static void compare_low(const hst_kernels *k)
{
    hst_err err = {0};
    hst_plan_options o = hst_plan_defaults();
    o.precision = HST_PRECISION_BF16;
    hst_plan *p = hst_plan_make(network.graph, k, &o, &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err);
    check_ok(w == NULL, &err);
    float *y = calloc(network.n, sizeof *y);
    hst_plan_run(p, w, network.x, 1, y);
    double dot = 0, yy = 0, ww = 0, far = 0;
    for (size_t i = 0; i < network.n; i++) {
        dot += (double)y[i] * network.want[i];
        yy += (double)y[i] * (double)y[i];
        ww += network.want[i] * network.want[i];
        far = fmax(far, fabs((double)y[i] - network.want[i]));
    }
    printf("%s, %s in bf16: cosine %.6f\n", network.name, k->name, dot / sqrt(yy * ww));
    assert_true(dot >= 0.9995 * sqrt(yy * ww));
    assert_true(far > 0); /* it is another precision */
    free(y);
    hst_work_free(w);
    hst_plan_free(p);
}

static void check(const char *name, const hst_graph *g, const float *x)
{
    plain exact = plain_of(g);
    double *want = plain_features(&exact, x, 1);
    network = (struct network){name, g, x, want,
                               plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1))};
    each_isa(compare);
    each_isa(compare_low);
    free(want);
    plain_free(&exact);
}

static void a_made_up_network(void **state)
{
    (void)state;
    static const char *const families[] = {"mobilenet_v2", "efficientnet_lite0"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        hst_err err = {0};
        hst_arch a = {.size = {96, 96}, .cnn = {1, HST_PAD_TF, 1e-3}};
        a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
        snprintf(a.family, sizeof a.family, "%s", families[i]);
        hst_graph *g = hst_arch_graph(&a, &err);
        check_ok(g == NULL, &err);
        random_params(g, 7 + i);
        float *x = random_floats(plain_floats(hst_graph_shape(g, 0)), 11);
        check(families[i], g, x);
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
    check("trained mobilenet_v2", b->graph, x.data);
    hst_backbone_free(b);
    hst_close(ctx);
    free(x.data);
    free(photos);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_made_up_network),
                                       cmocka_unit_test(a_trained_network)};
    return cmocka_run_group_tests_name("precision", tests, NULL, NULL);
}
