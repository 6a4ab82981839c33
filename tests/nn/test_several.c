/* nn: several images at a time have the bits that each of them has alone, in every precision, with
 * every instruction set, however many there are and wherever the plan begins to take several. */
#include "learn_plain.h"
#include "support.h"

#include "backbones/backbone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 7, SIDE = 32 };

/* What is compared; each_isa() takes no argument. */
static struct network {
    const char *name;
    const hst_graph *graph;
    const float *x; /* [IMAGES] */
    hst_plan_options options;
    int most; /* images at a time of any plan so far */
} network;

static void compare_plan(const hst_kernels *k)
{
    hst_err err = {0};
    hst_plan *p = hst_plan_make(network.graph, k, &network.options, &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err), *alone = hst_work_new_together(p, 1, &err);
    check_ok(w == NULL || alone == NULL, &err);
    const size_t in = plain_floats(hst_plan_input(p)), out = hst_plan_output_floats(p);
    float *want = calloc(IMAGES * out, sizeof *want), *y = calloc(IMAGES * out, sizeof *y);
    for (size_t i = 0; i < IMAGES; i++)
        hst_plan_run(p, alone, network.x + i * in, 1, want + i * out);
    assert_memory_not_equal(want, want + out, out * sizeof *want);
    for (size_t n = 6; n <= IMAGES; n++) {
        memset(y, 0, n * out * sizeof *y);
        hst_plan_run(p, w, network.x + (IMAGES - n) * in, (int)n, y);
        assert_memory_equal(y, want + (IMAGES - n) * out, n * out * sizeof *y);
    }
    network.most = hst_plan_images(p) > network.most ? hst_plan_images(p) : network.most;
    free(want);
    free(y);
    hst_work_free(w);
    hst_work_free(alone);
    hst_plan_free(p);
}

/* A small cache and a large one: where a plan begins to take several images differs. */
static void compare(const hst_kernels *k)
{
    const int last = hst_graph_n_nodes(network.graph) - 1, outputs[] = {last, last / 2};
    for (size_t bytes = 16 << 10; bytes <= 1 << 20; bytes *= 64)
        for (int way = 0; way < 3; way++) {
            network.options.cache_bytes = bytes;
            network.options.fuse = way > 0;
            network.options.output = way == 2 ? outputs : NULL;
            network.options.n_outputs = way == 2 ? 2 : 0;
            compare_plan(k);
        }
}

static void check(const char *name, const hst_graph *g)
{
    hst_range *ranges = calloc((size_t)hst_graph_n_nodes(g), sizeof *ranges);
    float *x = random_floats(IMAGES * plain_floats(hst_graph_shape(g, 0)), 11);
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        ranges[i] = (hst_range){-3, 5};
    for (int precision = HST_PRECISION_FP32; precision <= HST_PRECISION_INT8; precision++) {
        network = (struct network){.name = name, .graph = g, .x = x};
        network.options = hst_plan_defaults();
        network.options.precision = (enum hst_precision)precision;
        network.options.ranges = ranges;
        each_isa(compare);
        printf("%s, precision %d: up to %d images at a time\n", name, precision, network.most);
        assert_true(network.most > 1);
    }
    free(x);
    free(ranges);
}

static void bits_are_those_of_one_image(void **state)
{
    (void)state;
    static const char *const families[] = {"mobilenet_v3_large", "resnet18", "hgnet_v2_b0"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        hst_err err = {0};
        hst_arch a = {.size = {SIDE, SIDE}, .cnn = {1, HST_PAD_TF, 1e-3}};
        a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
        snprintf(a.family, sizeof a.family, "%s", families[i]);
        hst_graph *g = hst_arch_graph(&a, &err);
        check_ok(g == NULL, &err);
        random_params(g, 7 + i);
        check(families[i], g);
        hst_graph_free(g);
    }
}

/* A plan whose weights all stay in the cache gains nothing. */
static void small_networks_take_one_image(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_arch a = {.family = "mobilenet_v2", .size = {SIDE, SIDE}, .cnn = {0.1, HST_PAD_TF, 1e-3}};
    a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    random_params(g, 7);
    hst_plan_options o = hst_plan_defaults();
    o.cache_bytes = 64 << 20;
    hst_plan *p = hst_plan_make(g, hst_kernels_best(), &o, &err);
    check_ok(p == NULL, &err);
    assert_int_equal(hst_plan_images(p), 1);
    hst_plan_free(p);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_are_those_of_one_image),
                                       cmocka_unit_test(small_networks_take_one_image)};
    return cmocka_run_group_tests_name("several images", tests, NULL, NULL);
}
