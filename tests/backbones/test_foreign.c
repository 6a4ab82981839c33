/* The same networks in every format that people have, each by its path alone: features as the
 * format's own library computes them, and the facts that decide them. */
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURES "fixtures/mobilenet_v2_1.0_224/"

typedef struct foreign {
    const char *file, *golden; /* below FIXTURES; golden/features_<golden>.npy */
    double width;
    int px;
    enum hst_padding padding;
    double epsilon;
    float mean, std; /* of red */
    double atol;
} foreign;

static const foreign files[] = {
    {"huggingface/google--mobilenet_v2_1.0_224", "huggingface", 1, 224, HST_PAD_TF, 1e-3, 127.5f,
     127.5f, 1e-4},
    {"timm/mobilenetv2_100", "timm", 1, 224, HST_PAD_SYMMETRIC, 1e-5, 127.5f, 127.5f, 1e-4},
    {"torchvision/mobilenet_v2-b3cad60d.pth", "torchvision", 1, 224, HST_PAD_SYMMETRIC, 1e-5,
     123.675f, 58.395f, 1e-4},
    {"keras_h5/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "keras_h5", 1,
     224, HST_PAD_TF, 1e-3, 127.5f, 127.5f, 1e-4},
    {"keras_h5/full_model_mobilenet_v2_0.35_96_head5.h5", "keras_h5_full_0.35_96", 0.35, 96,
     HST_PAD_TF, 1e-3, 127.5f, 127.5f, 2e-4},
    {"keras3/model.keras", "keras3_keras", 1, 224, HST_PAD_TF, 1e-3, 127.5f, 127.5f, 1e-4},
    {"keras3/model.weights.h5", "keras3_weights_h5", 1, 224, HST_PAD_TF, 1e-3, 127.5f, 127.5f,
     1e-4},
    {"saved_model/imagenet_mobilenet_v2_100_224_feature_vector_5.tar.gz", "saved_model", 1, 224,
     HST_PAD_TF, 1e-3, 127.5f, 127.5f, 1e-4},
    {"tflite/mobilenet_v2_1.0_224.tflite", "tflite", 1, 224, HST_PAD_TF, 1e-3, 127.5f, 127.5f,
     1e-4},
    {"tflite/mobilenet_v2_0.35_96_float16.tflite", "tflite_0.35_96_float16", 0.35, 96, HST_PAD_TF,
     1e-3, 127.5f, 127.5f, 2e-4},
    {"tfjs/layers_model", "tfjs_layers", 1, 224, HST_PAD_TF, 1e-3, 127.5f, 127.5f, 1e-4},
    {"tfjs/layers_model/model.json", "tfjs_layers", 1, 224, HST_PAD_TF, 1e-3, 127.5f, 127.5f, 1e-4},
    {"tfjs/graph_model_float16/model.json", "tfjs_graph_float16", 1, 224, HST_PAD_TF, 1e-3, 127.5f,
     127.5f, 1e-4},
    {"onnx/mobilenet_v2_1.0_224.onnx", "onnx", 1, 224, HST_PAD_SYMMETRIC, 1e-3, 123.675f, 58.395f,
     1e-4},
    {"onnx/mobilenet_v2_0.35_96_tfpad_dynamo.onnx", "onnx_0.35_96_tfpad", 0.35, 96, HST_PAD_TF,
     1e-3, 127.5f, 127.5f, 2e-4},
};

static npy read_shared(const char *name)
{
    char relative[256];
    snprintf(relative, sizeof relative, FIXTURES "golden/%s.npy", name);
    char *path = shared_path(relative);
    npy a = npy_read(path);
    free(path);
    return a;
}

static void check_facts(const foreign *f, const hst_backbone *b)
{
    const hst_backbone_info *info = hst_backbone_describe(b);
    assert_string_equal(info->family, "mobilenet_v2");
    assert_true(info->width == f->width);
    assert_int_equal(info->image_px, f->px);
    assert_string_equal(info->padding, f->padding == HST_PAD_TF ? "tf" : "symmetric");
    assert_true(info->bn_epsilon == f->epsilon);
    assert_true(b->arch.norm.mean[0] == f->mean && b->arch.norm.std[0] == f->std);
    assert_int_equal(info->n_features, 1280);
    if (f->width == 1) {
        assert_int_equal(info->n_params, 2257984);
        assert_int_equal(info->n_statistics, 34112);
    }
}

/* The fixtures' pixels are on -1..1; what the backbone wants of them is its own matter. */
static void check_features(const foreign *f, const hst_backbone *b)
{
    hst_err err = {0};
    char golden[128];
    const hst_pixel_norm *norm = &b->arch.norm;
    size_t px = (size_t)f->px, dim = (size_t)hst_plan_output(b->plan).c;
    npy x = read_shared(f->px == 96 ? "inputs_pm1_nhwc_96" : "inputs_pm1_nhwc");
    snprintf(golden, sizeof golden, "features_%s", f->golden);
    npy want = read_shared(golden);
    float *pixel = x.data, *y = calloc(x.dim[0] * dim, sizeof *y);
    for (size_t i = 0; i < x.count; i++)
        pixel[i] = ((pixel[i] + 1) * 127.5f - norm->mean[i % 3]) / norm->std[i % 3];
    hst_work *w = hst_work_new(b->plan, &err);
    check_ok(w == NULL, &err);
    for (size_t i = 0; i < x.dim[0]; i++)
        hst_plan_run(b->plan, w, pixel + i * px * px * 3, 1, y + i * dim);
    hst_work_free(w);
    check_close(y, want.data, want.count, f->atol, 0, f->file);
    free(y);
    free(x.data);
    free(want.data);
}

static void every_format_has_its_librarys_features(void **state)
{
    (void)state;
    hst_err err = {0};
    char *cache = temporary_folder();
    hst_config cfg = hst_config_from_env();
    cfg.cache_dir = cache;
    hst_ctx *ctx = hst_open(&cfg, &err);
    check_ok(ctx == NULL, &err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char relative[256];
        snprintf(relative, sizeof relative, FIXTURES "%s", files[i].file);
        char *path = shared_path(relative);
        if (!path) {
            hst_close(ctx);
            remove_tree(cache);
            free(cache);
            skip_shared(relative);
        }
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        check_ok(b == NULL, &err);
        check_facts(&files[i], b);
        check_features(&files[i], b);
        hst_backbone_free(b);
        free(path);
    }
    hst_close(ctx);
    remove_tree(cache);
    free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_has_its_librarys_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
