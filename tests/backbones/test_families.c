/* Every family as a whole network with made-up weights: features within 1e-4 of the largest of
 * those that its own library computes in double (golden_families.py), on every instruction set. A
 * wrong layer is off by tenths. */
#include "support.h"

#include "backbones/backbone.h"
#include "base/file.h"

#include <math.h>
#include <stdint.h>
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

/* [-0.5, 0.5), from key and index alone: MurmurHash3's last step. */
static double noise(uint32_t key, uint32_t i)
{
    uint32_t x = i + key * 0x9E3779B9u;
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    return (x >> 8) / 16777216.0 - 0.5;
}

static int ends(const char *s, const char *with)
{
    size_t n = strlen(s), m = strlen(with);
    return n >= m && strcmp(s + n - m, with) == 0;
}

static void fill(const hst_param *p, uint32_t key)
{
    double spread = 0.4, middle = 0;
    if (ends(p->name, "kernel")) /* [H][W][I][O], depthwise [H][W][C][1] */
        spread = sqrt(
            24.0 / (p->dim[0] * p->dim[1] * (ends(p->name, "depthwise_kernel") ? 1 : p->dim[2])));
    else if (ends(p->name, "variance"))
        spread = middle = 1;
    else if (ends(p->name, "gamma"))
        middle = 1;
    for (size_t i = 0; i < hst_param_count(p); i++)
        p->data[i] = (float)(middle + spread * noise(key, (uint32_t)i));
}

static hst_graph *graph_of(const struct network *n)
{
    hst_err err = {0};
    hst_arch a = {.width = 1, .px = PX, .padding = n->padding, .bn_epsilon = n->epsilon};
    snprintf(a.family, sizeof a.family, "%s", n->family);
    for (int c = 0; c < 3; c++)
        a.norm.std[c] = 1;
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    for (size_t i = 0; i < hst_graph_n_params(g); i++)
        fill(hst_graph_param(g, i), (uint32_t)i + 1);
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
        x[i] = (float)(2 * noise(0, (uint32_t)i));
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        check_network(&networks[i], x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(families_have_their_librarys_features)};
    return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
