/* EfficientNet-Lite0 and a MobileNetV2 as published: features as PyTorch computes them; bad files.
 * Other published MobileNetV2 are in test_foreign.c. */
#include "made_up.h"
#include "support.h"

#include "backbones/backbone.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* y[n][dim] of x[n][height][width][3], one picture at a time. */
static float *run(const hst_backbone *b, const float *x, size_t n)
{
    hst_err err = {0};
    size_t pixels = hst_size_pixels(b->arch.size), dim = (size_t)hst_plan_output(b->plan).c;
    hst_work *w = hst_work_new(b->plan, &err);
    check_ok(w == NULL, &err);
    float *y = calloc(n * dim, sizeof *y);
    for (size_t i = 0; i < n; i++)
        hst_plan_run(b->plan, w, x + i * pixels * 3, 1, y + i * dim);
    hst_work_free(w);
    return y;
}

static npy read_shared(const char *relative)
{
    char *path = shared_path(relative);
    npy a = npy_read(path);
    free(path);
    return a;
}

/* From the cache of the test environment, as tests do not download; NULL, and *ctx closed: it is
 * not there, which is said. */
static hst_backbone *cached(hst_ctx **ctx, const char *name)
{
    hst_err err = {0};
    hst_config cfg = hst_config_from_env();
    cfg.offline = 1;
    *ctx = hst_open(&cfg, &err);
    check_ok(*ctx == NULL, &err);
    int is_here = 0;
    for (int i = 0; hst_backbone_name(*ctx, i, &is_here); i++)
        if (strcmp(hst_backbone_name(*ctx, i, NULL), name) == 0 && is_here) {
            hst_backbone *b = hst_backbone_open(*ctx, name, &err);
            check_ok(b == NULL, &err);
            return b;
        }
    print_message("skipped: %s is not in the cache (HEADSTART_CACHE)\n", name);
    hst_close(*ctx);
    return NULL;
}

static void efficientnet_lite0(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx;
    char *golden = shared_path("golden/features/lite0.safetensors");
    if (!golden)
        skip_shared("golden/features/lite0.safetensors");
    hst_backbone *b = cached(&ctx, "efficientnet_lite0");
    if (!b) {
        free(golden);
        skip();
        return;
    }
    npy u8 = read_shared("golden/features/input_u8.npy");
    const uint8_t *pixel = u8.data;
    float *x = malloc(u8.count * sizeof *x);
    for (size_t i = 0; i < u8.count; i++)
        x[i] = ((float)pixel[i] - b->arch.norm.mean[i % 3]) / b->arch.norm.std[i % 3];
    hst_tensors *t = hst_tensors_read(golden, &err);
    check_ok(t == NULL, &err);
    const hst_tensor *want = hst_tensors_find(t, "u8.features_f64");
    float *y = run(b, x, u8.dim[0]);
    for (size_t i = 0; i < hst_tensor_count(want); i++) {
        float one = (float)((const double *)want->data)[i];
        check_close(&y[i], &one, 1, 2e-4, 0, "efficientnet_lite0");
    }
    free(y);
    free(x);
    hst_tensors_free(t);
    free(u8.data);
    hst_backbone_free(b);
    hst_close(ctx);
    free(golden);
}

/* Every 80th feature of a made-up picture, as the package's own module computes it in double. */
static void mobilenet_v2_of_another_training(void **state)
{
    (void)state;
    enum { APART = 80 };
    static const float want[] = {0.7827656f,    0.2413003f, 0.02828916f, 0.08338036f,
                                 1.197269f,     0,          0,           0.4983423f,
                                 0.0006218375f, 0.6428259f, 0.1071768f,  0.00706697f,
                                 0.8533156f,    0.231115f,  0.01725795f, 0};
    hst_ctx *ctx;
    hst_backbone *b = cached(&ctx, "mobilenet_v2_tonylins");
    if (!b) {
        skip();
        return;
    }
    assert_string_equal(b->arch.family, "mobilenet_v2");
    assert_int_equal(hst_plan_output(b->plan).c, APART * (int)(sizeof want / sizeof *want));
    const size_t floats = hst_size_pixels(b->arch.size) * 3;
    float *x = malloc(floats * sizeof *x);
    for (size_t i = 0; i < floats; i++)
        x[i] = (float)(4 * made_up_noise(0, (uint32_t)i));
    float *y = run(b, x, 1);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        check_close(&y[i * APART], &want[i], 1, 2e-5, 0, "mobilenet_v2_tonylins");
    free(y);
    free(x);
    hst_backbone_free(b);
    hst_close(ctx);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"duplicate_key",
                                      "duplicate_key_same_range",
                                      "header_length_99999999",
                                      "header_length_huge",
                                      "hole",
                                      "nan_weights",
                                      "negative_shape",
                                      "overlap",
                                      "terminal_escape_name",
                                      "truncated_data",
                                      "truncated_header"};
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char relative[128];
        hst_err err = {0};
        snprintf(relative, sizeof relative, "fixtures/bad/st_%s.safetensors", bad[i]);
        char *path = shared_path(relative);
        if (!path)
            skip_shared(relative);
        assert_null(hst_backbone_open(ctx, path, &err));
        assert_int_equal(err.code, HST_EMODEL);
        assert_null(strpbrk(err.msg, "\n\033"));
        free(path);
    }
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(efficientnet_lite0),
        cmocka_unit_test(mobilenet_v2_of_another_training),
        cmocka_unit_test(bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
