/* Every family as a whole network with made-up weights: features within 1e-4 of the largest of
 * those that its own library computes in double (golden_families.py, golden_keras.py), on every
 * instruction set. A wrong layer is off by tenths. */
#include "made_up.h"
#include "support.h"

#include "backbones/cnn.h"
#include "base/file.h"
#include "hub/catalog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PX = 64, EVERY = 8 /* of the largest ones one feature in so many is compared */ };

static const struct network {
    const char *family;
    enum hst_padding padding;
    double epsilon;
    hst_size size; /* 0: PX x PX */
    int deep;      /* with half the gammas */
} networks[] = {
    {"convnext_atto", HST_PAD_SYMMETRIC, 1e-6},
    {"convnext_tiny", HST_PAD_SYMMETRIC, 1e-6},
    {"efficientnet_b0", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_b1", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_b2", HST_PAD_TF, 1e-3},
    {"efficientnet_lite0", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_lite1", HST_PAD_SYMMETRIC, 1e-5},
    {"efficientnet_v2_b0", HST_PAD_TF, 1e-3},
    {"efficientnet_v2_b1", HST_PAD_TF, 1e-3, .deep = 1},
    {"efficientnet_v2_b3", HST_PAD_TF, 1e-3, .deep = 1},
    {"efficientnet_v2_s", HST_PAD_TF, 1e-3, .deep = 1},
    {"hgnet_v2_b0", HST_PAD_SYMMETRIC, 1e-5},
    {"hgnet_v2_b1", HST_PAD_SYMMETRIC, 1e-5},
    {"hgnet_v2_b2", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v1", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v2", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v3_large", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v3_small", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v4_medium", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v4_small", HST_PAD_SYMMETRIC, 1e-5},
    {"regnet_y_400mf", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet18", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet34", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet50", HST_PAD_SYMMETRIC, 1e-5},
    {"resnet50_v1", HST_PAD_SYMMETRIC, 1.001e-5},
    {"resnet50_v2", HST_PAD_SYMMETRIC, 1.001e-5},
    {"bit_r50x1", HST_PAD_SYMMETRIC, 1e-5},
    {"mobilenet_v2", HST_PAD_SYMMETRIC, 1e-5, {320, 160}},
    {"resnet18", HST_PAD_SYMMETRIC, 1e-5, {320, 160}},
    {"resnet50", HST_PAD_SYMMETRIC, 1e-5, {96, 224}},
    {"efficientnet_v2_b0", HST_PAD_TF, 1e-3, {65, 98}},
    {"mobilenet_v3_small", HST_PAD_SYMMETRIC, 1e-5, {130, 97}},
    {"hgnet_v2_b0", HST_PAD_SYMMETRIC, 1e-5, {97, 130}},
    {"convnext_atto", HST_PAD_SYMMETRIC, 1e-6, {97, 130}},
    {"mobilenet_v4_small", HST_PAD_SYMMETRIC, 1e-5, {130, 97}},
    {"inception_resnet_v2", HST_PAD_SYMMETRIC, 1e-3, {107, 96}},
    {"inception_v3", HST_PAD_SYMMETRIC, 1e-3, {96, 107}},
    {"nasnet_mobile", HST_PAD_TF, 1e-3},
};

static hst_size size_of(const struct network *n)
{
    return n->size.width ? n->size : hst_size_square(PX);
}

/* The family's only one, or 1. */
static double width_of(const char *family)
{
    const double width = ((const hst_cnn_family *)hst_family_find(family)->own)->width;
    return width != 0 ? width : 1;
}

static hst_graph *graph_of(const struct network *n)
{
    hst_err err = {0};
    hst_arch a = {.size = size_of(n), .cnn = {width_of(n->family), n->padding, n->epsilon}};
    snprintf(a.family, sizeof a.family, "%s", n->family);
    for (int c = 0; c < 3; c++)
        a.norm.std[c] = 1;
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    made_up_fill(g);
    if (n->deep)
        made_up_halve_gammas(g);
    return g;
}

static npy golden_of(const struct network *n)
{
    hst_err err = {0};
    char name[128], size[HST_SIZE_TEXT];
    const char *root = getenv("HEADSTART_ROOT");
    snprintf(name, sizeof name, "tests/golden/families/%s%s%s.npy", n->family,
             n->size.width ? "_" : "", n->size.width ? hst_size_text(n->size, size) : "");
    char *path = hst_path_join(root ? root : ".", name, &err);
    npy a = npy_read(path);
    free(path);
    return a;
}

static void check_network(const struct network *n)
{
    hst_err err = {0};
    hst_graph *g = graph_of(n);
    npy want = golden_of(n);
    const double most = largest_of(want.data, want.count);
    const size_t floats = hst_size_pixels(size_of(n)) * 3;
    float *y = calloc(want.count, EVERY * sizeof *y), *x = calloc(floats, sizeof *x);
    for (size_t i = 0; i < floats; i++)
        x[i] = (float)(2 * made_up_noise(0, (uint32_t)i));
    for (int i = 0, usable; hst_kernels_name(i, &usable); i++) {
        if (!usable)
            continue;
        hst_plan *p = hst_plan_new(g, hst_kernels_find(hst_kernels_name(i, NULL)), &err);
        check_ok(p == NULL, &err);
        const size_t features = (size_t)hst_plan_output(p).c, every = features / want.count;
        assert_true(features == every * want.count && (every == 1 || every == EVERY));
        hst_work *w = hst_work_new(p, &err);
        check_ok(w == NULL, &err);
        hst_plan_run(p, w, x, 1, y);
        for (size_t k = 1; k < want.count; k++)
            y[k] = y[k * every];
        check_close(y, want.data, want.count, 1e-4 * most, 0, n->family);
        hst_work_free(w);
        hst_plan_free(p);
    }
    free(x);
    free(y);
    free(want.data);
    hst_graph_free(g);
}

static void families_have_their_librarys_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        check_network(&networks[i]);
}

/* As published, with their classifier: what learns, multiply-adds, and for networks of Keras all
 * parameters. torchvision: num_params and _ops of its weights. Keras: count_params(). EfficientNet-
 * Lite: timm's counts, and the table of Google's repository, which also counts batch norm,
 * activations and additions (slack). ResNet-50 of the paper: its table 1, rounded down. */
static const struct size {
    const char *family;
    int px, features;
    uint64_t classifier, learns, all; /* 0: not published */
    double madds, slack, unit;        /* in millions; unit: of its last digit */
    int listed_px; /* of the weights that are listed by its name, where it is not px */
} sizes[] = {
    {"mobilenet_v1", 224, 1024, 1025000, 0, 4253864, 0, 0, 0},
    {"mobilenet_v2", 224, 1280, 1281000, 3504872, 0, 301, 0, 1},
    {"mobilenet_v3_large", 224, 960, 2511080, 5483032, 0, 217, 0, 1},
    {"mobilenet_v3_small", 224, 576, 1615848, 2542856, 0, 57, 0, 1},
    {"efficientnet_b0", 224, 1280, 1281000, 5288548, 0, 386, 0, 1},
    {"efficientnet_b1", 240, 1280, 1281000, 7794184, 0, 687, 0, 1},
    {"efficientnet_b2", 260, 1408, 1409000, 9109994, 0, 0, 0, 0}, /* torchvision's has 288 pixels */
    {"efficientnet_b3", 300, 1536, 1537000, 12233232, 0, 1827, 0, 1},
    {"efficientnet_b4", 380, 1792, 1793000, 19341616, 0, 4394, 0, 1},
    {"efficientnet_b5", 456, 2048, 2049000, 30389784, 0, 10266, 0, 1},
    {"efficientnet_b6", 528, 2304, 2305000, 43040704, 0, 19068, 0, 1},
    {"efficientnet_b7", 600, 2560, 2561000, 66347960, 0, 37746, 0, 1},
    {"efficientnet_v2_b0", 224, 1280, 1281000, 0, 7200312, 0, 0, 0},
    {"efficientnet_v2_b1", 240, 1280, 1281000, 0, 8212124, 0, 0, 0},
    {"efficientnet_v2_b2", 260, 1408, 1409000, 0, 10178374, 0, 0, 0},
    {"efficientnet_v2_b3", 300, 1536, 1537000, 0, 14467622, 0, 0, 0},
    {"efficientnet_v2_s", 384, 1280, 1281000, 21458488, 0, 8366, 0, 1},
    {"efficientnet_v2_m", 480, 1280, 1281000, 54139356, 0, 24582, 0, 1},
    {"efficientnet_v2_l", 480, 1280, 1281000, 118515272, 0, 56080, 0, 1},
    {"efficientnet_v2_xl", 512, 1280, 1281000, 208119808, 0, 0, 0, 0}, /* timm's count */
    {"efficientnet_lite0", 224, 1280, 1281000, 4652008, 0, 407, 0.06, 1},
    {"efficientnet_lite1", 240, 1280, 1281000, 5416680, 0, 631, 0.05, 1},
    {"efficientnet_lite2", 260, 1280, 1281000, 6092072, 0, 899, 0.05, 1},
    {"efficientnet_lite3", 280, 1280, 1281000, 8197096, 0, 1440, 0.04, 10},
    {"efficientnet_lite4", 300, 1280, 1281000, 13006568, 0, 2640, 0.04, 10},
    {"resnet18", 224, 512, 513000, 11689512, 0, 1814, 0, 1},
    {"resnet34", 224, 512, 513000, 21797672, 0, 3664, 0, 1},
    {"resnet50", 224, 2048, 2049000, 25557032, 0, 4089, 0, 1},
    /* timm's counts; slim's and Keras' networks have no gammas */
    {"inception_v3", 299, 2048, 2049000, 23834568, 0, 5713, 0, 1}, /* torchvision's _ops */
    {"inception_resnet_v2", 299, 1536, 1537000, 55843464, 0, 0, 0, 0},
    {"nasnet_mobile", 224, 1056, 1057000, 0, 5326716, 0, 0, 0},
    {"nasnet_large", 331, 4032, 4033000, 0, 88949818, 0, 0, 0},
    {"nasnet_a_mobile", 224, 1056, 1057000, 0, 5326716, 0, 0, 0},
    {"nasnet_a_large", 331, 4032, 4033000, 0, 88949818, 0, 0, 0},
    /* of timm, multiply-adds of its table of speeds, batch norm among them */
    {"mobilenet_v4_small", 224, 1280, 1281000, 3774024, 0, 190, 0, 10},
    {"mobilenet_v4_medium", 224, 1280, 1281000, 9715512, 0, 840, 0.03, 10, 256},
    {"hgnet_v2_b0", 224, 2048, 2049000, 5996550, 0, 0, 0, 0},
    {"hgnet_v2_b1", 224, 2048, 2049000, 6343158, 0, 0, 0, 0},
    {"hgnet_v2_b2", 224, 2048, 2049000, 11221356, 0, 0, 0, 0},
    {"regnet_y_400mf", 224, 440, 441000, 4344144, 0, 402, 0, 1},
    {"regnet_y_800mf", 224, 784, 785000, 6432512, 0, 834, 0, 1},
    {"regnet_y_800mf_pycls", 224, 768, 769000, 6263168, 0, 0, 0, 0}, /* timm's count */
    {"regnet_y_1_6gf", 224, 888, 889000, 11202430, 0, 1612, 0, 1},
    {"convnext_tiny", 224, 768, 769000, 28589128, 0, 4456, 0, 1},
    {"convnext_small", 224, 768, 769000, 50223688, 0, 8684, 0, 1},
    {"convnext_base", 224, 1024, 1025000, 88591464, 0, 15355, 0, 1},
    {"convnext_atto", 224, 320, 321000, 3695520, 0, 0, 0, 0}, /* timm's, as the three below */
    {"convnext_femto", 224, 384, 385000, 5217784, 0, 0, 0, 0},
    {"convnext_pico", 224, 512, 513000, 9045672, 0, 0, 0, 0},
    {"convnext_nano", 224, 640, 641000, 15593560, 0, 0, 0, 0},
    /* 26560 and more biases in front of batch norm, which our graph has not */
    {"resnet50_v1", 224, 2048, 2049000, 0, 25636712 - 26560, 3850, 0, 100},
    {"resnet101", 224, 2048, 2049000, 44549160, 0, 7801, 0, 1},
    {"resnet152", 224, 2048, 2049000, 60192808, 0, 11514, 0, 1},
    {"resnet101_v1", 224, 2048, 2049000, 0, 44707176 - 52672, 0, 0, 0},
    {"resnet152_v1", 224, 2048, 2049000, 0, 60419944 - 75712, 0, 0, 0},
    {"resnet50_v2", 224, 2048, 2049000, 0, 25613800, 0, 0, 0},
    {"resnet101_v2", 224, 2048, 2049000, 0, 44675560, 0, 0, 0},
    {"resnet152_v2", 224, 2048, 2049000, 0, 60380648, 0, 0, 0},
    /* slim's, beside Keras' and torchvision's */
    {"resnet_v1_50", 224, 2048, 2049000, 25557032, 0, 0, 0, 0},
    {"resnet_v1_101", 224, 2048, 2049000, 44549160, 0, 0, 0, 0},
    {"resnet_v1_152", 224, 2048, 2049000, 60192808, 0, 0, 0, 0},
    {"resnet_v2_50", 224, 2048, 2049000, 0, 25613800, 0, 0, 0},
    {"resnet_v2_101", 224, 2048, 2049000, 0, 44675560, 0, 0, 0},
    {"resnet_v2_152", 224, 2048, 2049000, 0, 60380648, 0, 0, 0},
    {"bit_r50x1", 224, 2048, 2049000, 25549352, 0, 0, 0, 0}, /* timm's count */
};

/* What the list of names says of the family's weights, where it has some of that very name. It has
 * GFLOP in three digits, no more than two of them behind the point. */
static void check_listed(const struct size *s, double millions, double gflop)
{
    const hst_catalog_entry *k = hst_catalog_find(s->family);
    const hst_catalog_figures *f = k ? &k->figures : NULL;
    const double scale = s->listed_px ? (double)s->listed_px / s->px : 1;
    gflop *= scale * scale;
    const double half = gflop < 10 ? 0.005 : gflop < 100 ? 0.05 : 0.5;
    if (f && (f->features != s->features || f->transformer || fabs(f->millions - millions) > 0.05 ||
              fabs(f->gflop - gflop) > half))
        fail_msg(
            "%s: listed with %g million parameters, %g GFLOP and %d features; it has %g, %g and "
            "%d",
            s->family, f->millions, f->gflop, f->features, millions, gflop, s->features);
}

/* Layers are told by their names: thawed from, their ranges kept. */
static void check_names(const struct size *s, const hst_graph *g)
{
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        for (int k = 0; k < i && *hst_graph_node_name(g, i); k++)
            if (strcmp(hst_graph_node_name(g, i), hst_graph_node_name(g, k)) == 0)
                fail_msg("%s: two layers are called %s", s->family, hst_graph_node_name(g, i));
}

static void check_size(const struct size *s)
{
    hst_err err = {0};
    const hst_family *f = hst_family_find(s->family);
    hst_arch a = {.size = {f->px, f->px}, .cnn = {width_of(s->family), HST_PAD_TF, 1e-3}};
    a.norm = (hst_pixel_norm)HST_NORM_01;
    snprintf(a.family, sizeof a.family, "%s", s->family);
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    check_names(s, g);
    uint64_t learns = s->classifier, all = s->classifier;
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        all += hst_param_count(p);
        learns += p->statistic ? 0 : hst_param_count(p);
    }
    const double madds = (hst_graph_flops(g) / 2 + (double)s->classifier) / 1e6;
    const double least = s->madds * (1 - s->slack) - s->unit / 2,
                 most = s->madds * (s->slack > 0 ? 0.98 : 1) + s->unit / 2;
    if (f->px != s->px || hst_graph_shape(g, hst_graph_n_nodes(g) - 1).c != s->features ||
        (s->learns && learns != s->learns) || (s->all && all != s->all) ||
        (s->madds > 0 && (madds < least || madds > most)))
        fail_msg("%s: %d px, %llu learn, %llu in all, %g million multiply-adds", s->family, f->px,
                 (unsigned long long)learns, (unsigned long long)all, madds);
    check_listed(s, (double)(learns - s->classifier) / 1e6, hst_graph_flops(g) / 1e9);
    hst_graph_free(g);
}

static void families_have_their_published_sizes(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; hst_family_at(i); i++)
        n += hst_family_at(i)->kind == &hst_cnn;
    assert_int_equal(n, sizeof sizes / sizeof *sizes);
    for (size_t i = 0; i < n; i++)
        check_size(&sizes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_have_their_librarys_features),
        cmocka_unit_test(families_have_their_published_sizes),
    };
    return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
