/* Every family as a whole network with made-up weights: features within 1e-4 of the largest of
 * those that its own library computes in double (golden_families.py), on every instruction set. A
 * wrong layer is off by tenths. */
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PX = 64 };

static const struct network {
    const char *family;
    enum hst_padding padding;
    double epsilon;
} networks[] = {
    {"efficientnet_b0", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_lite0", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_lite1", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_v2_b0", HST_PAD_TF, 1e-3},
    {"mobilenet_v1", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v2", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v3_large", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v3_small", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet18", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet34", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet50", HST_PAD_SYMMETRIC, 1e-5},
};

static hst_graph *graph_of(const struct network *n)
{
    hst_err err = {0};
    hst_arch a = {.px = PX, .cnn = {1, n->padding, n->epsilon}};
    snprintf(a.family, sizeof a.family, "%s", n->family);
    for (int c = 0; c < 3; c++)
        a.norm.std[c] = 1;
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    made_up_fill(g);
    return g;
}

static npy golden_of(const char *family)
{
    hst_err err = {0};
    char name[128];
    const char *root = getenv("HEADSTART_ROOT");
    snprintf(name, sizeof name, "tests/golden/families/%s.npy", family);
    char *path = hst_path_join(root ? root : ".", name, &err);
    npy a = npy_read(path);
    free(path);
    return a;
}

static void check_network(const struct network *n, const float *x)
{
    hst_err err = {0};
    hst_graph *g = graph_of(n);
    npy want = golden_of(n->family);
    double most = 0;
    for (size_t i = 0; i < want.count; i++)
        most = fmax(most, fabs((double)((float *)want.data)[i]));
    float *y = calloc(want.count, sizeof *y);
    for (int i = 0, usable; hst_kernels_name(i, &usable); i++) {
        if (!usable)
            continue;
        hst_plan *p = hst_plan_new(g, hst_kernels_find(hst_kernels_name(i, NULL)), &err);
        check_ok(p == NULL, &err);
        assert_int_equal(hst_plan_output(p).c, want.count);
        hst_work *w = hst_work_new(p, &err);
        check_ok(w == NULL, &err);
        hst_plan_run(p, w, x, 1, y);
        check_close(y, want.data, want.count, 1e-4 * most, 0, n->family);
        hst_work_free(w);
        hst_plan_free(p);
    }
    free(y);
    free(want.data);
    hst_graph_free(g);
}

static void families_have_their_librarys_features(void **state)
{
    (void)state;
    static float x[PX * PX * 3];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(2 * made_up_noise(0, (uint32_t)i));
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        check_network(&networks[i], x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(families_have_their_librarys_features)};
    return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
