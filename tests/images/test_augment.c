/* images: augmentation, against Keras 2's layers and against what it promises. */
#include "support.h"

#include "formats/safetensors.h"
#include "images/augment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reflection_of_tensorflow(void **state)
{
    (void)state;
    float at[] = {-.5f, -1.5f, -4.2f, -5, 3.5f, 4.5f, 7.9f, 9.3f, -8, -8.5f, -100.25f, 12, 100.75f};
    const float want[] = {0, .5f, 3, 3, 3, 2.5f, 0, 1.3000001907f, 0, 0, 3, 3, 2.25f};
    int n = sizeof at / sizeof *at;
    hst_reflect(at, n, 4);
    check_close(at, want, (size_t)n, 1e-5, 0, "reflect");
    float one[] = {-3, 0, .5f, 17};
    hst_reflect(one, 4, 1);
    for (int i = 0; i < 4; i++)
        assert_true(one[i] == 0);
}

/* ---- Keras' values ---- */

enum { W = 13, H = 17, N = W * H * 3 };

static char *small_path(const char *name)
{
    char *path = NULL;
    const char *root = getenv("HEADSTART_ROOT");
    assert_true(asprintf(&path, "%s/tests/golden/augment/small_%s", root, name) > 0);
    return path;
}

static npy small_picture(void)
{
    char *path = small_path("17x13.npy");
    npy a = npy_read(path);
    free(path);
    assert_int_equal(a.count, N);
    return a;
}

static hst_tensors *tensors(char *path)
{
    hst_err e = {0};
    hst_tensors *t = hst_tensors_read(path, &e);
    check_ok(t == NULL, &e);
    free(path);
    return t;
}

static const float *tensor(const hst_tensors *t, const char *name, size_t n)
{
    const hst_tensor *a = hst_tensors_find(t, name);
    assert_non_null(a);
    assert_int_equal(hst_tensor_count(a), n);
    return a->data;
}

static const struct layer {
    const char *name;
    enum { ROTATION, TRANSLATION, ZOOM } kind;
    float a, b; /* angle; dx, dy; zx, zy */
    double matrix_atol;
} layers[] = {
    {"rotation_0_0", ROTATION, 0, 0, 1e-4},
    {"rotation_0_35", ROTATION, .35f, 0, 1e-4},
    {"rotation_neg2_1", ROTATION, -2.1f, 0, 1e-4},
    {"rotation_40x2pi", ROTATION, 229.46192741819848f, 0, 1e-2},
    {"translate_w_0_13", TRANSLATION, 1.69f, 0, 1e-4},
    {"translate_w_neg0_2", TRANSLATION, -2.6f, 0, 1e-4},
    {"translate_h_0_07", TRANSLATION, 0, 1.19f, 1e-4},
    {"translate_both_big", TRANSLATION, 17.81f, -44.37f, 1e-4},
    {"zoom_0_8_1_2", ZOOM, .8f, 1.2f, 1e-4},
    {"zoom_1_2", ZOOM, 1.2f, 1.2f, 1e-4},
    {"zoom_0_55_0_93", ZOOM, .55f, .93f, 1e-4},
};

static hst_warp warp_of(const struct layer *l, int w, int h)
{
    if (l->kind == ROTATION)
        return hst_warp_rotation(l->a, w, h);
    return l->kind == TRANSLATION ? hst_warp_translation(l->a, l->b)
                                  : hst_warp_zoom(l->a, l->b, w, h);
}

static void layers_equal_keras(void **state)
{
    (void)state;
    npy x = small_picture();
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char file[64];
        float got[N];
        snprintf(file, sizeof file, "%s.safetensors", layers[i].name);
        hst_tensors *t = tensors(small_path(file));
        hst_warp own = warp_of(&layers[i], W, H), stored;
        const float *matrix = tensor(t, "matrix", 8);
        check_close(own.m, matrix, 6, layers[i].matrix_atol, 0, file);
        memcpy(stored.m, matrix, sizeof stored.m);
        hst_warp_apply(&stored, x.data, W, H, got);
        check_close(got, tensor(t, "output", N), N, 2e-5, 0, file);
        hst_tensors_free(t);
    }
    free(x.data);
}

enum { PX = 224, PHOTO_N = PX * PX * 3, HEAD_N = 8 * PX * 3 };

/* want: a step of 8 bits apart at ties of rounding. */
static void check_u8(const float *got, const uint8_t *want, const char *what)
{
    for (size_t i = 0; i < PHOTO_N; i++)
        if (fabs(rint(255 * (double)got[i]) - want[i]) > 1)
            fail_msg("%s[%zu]: %.9g, want %d / 255", what, i, (double)got[i], want[i]);
}

/* A photo of the shared reference data, where it is. */
static void check_photo(void)
{
    hst_err e = {0};
    char *path = shared_path("golden/augment/photo224_u8.npy");
    if (!path)
        return;
    npy u8 = npy_read(path);
    free(path);
    float *x = calloc(PHOTO_N, sizeof *x), *y = calloc(PHOTO_N, sizeof *y);
    for (size_t i = 0; i < PHOTO_N; i++)
        x[i] = (float)((uint8_t *)u8.data)[i] / 255;
    static const char *const cases[] = {"rotation_0_35", "rotation_40x2pi", "translate_w_0_13",
                                        "zoom_0_8_1_2"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char relative[64];
        snprintf(relative, sizeof relative, "golden/augment/photo_%s.safetensors", cases[i]);
        hst_tensors *t = tensors(shared_path(relative));
        hst_warp w;
        memcpy(w.m, tensor(t, "matrix", 8), sizeof w.m);
        hst_warp_apply(&w, x, PX, PX, y);
        check_close(y, tensor(t, "output_head", HEAD_N), HEAD_N, 1e-4, 0, cases[i]);
        check_u8(y, hst_tensors_find(t, "output_u8")->data, cases[i]);
        hst_tensors_free(t);
    }
    hst_tensors *t = tensors(shared_path("golden/augment/photo_composed.safetensors"));
    hst_tutorial_draw d = {-.61f, 34.72f, -26.432f, .87f, 1.14f, 1};
    check_ok(hst_tutorial_apply(&d, x, PX, PX, &e), &e);
    check_close(x, tensor(t, "final_head", HEAD_N), HEAD_N, 2e-4, 0, "composed");
    check_u8(x, hst_tensors_find(t, "final_u8")->data, "composed");
    hst_tensors_free(t);
    free(y);
    free(x);
    free(u8.data);
}

static void five_layers_equal_keras(void **state)
{
    (void)state;
    hst_err e = {0};
    npy x = small_picture();
    hst_tutorial_draw d = {-.61f, 2.015f, -2.006f, .87f, 1.14f, 1};
    hst_tensors *t = tensors(small_path("composed.safetensors"));
    check_ok(hst_tutorial_apply(&d, x.data, W, H, &e), &e);
    check_close(x.data, tensor(t, "final", N), N, 1e-4, 0, "composed");
    hst_tensors_free(t);
    free(x.data);

    x = small_picture();
    d = (hst_tutorial_draw){0, 0, 0, 1, 1, 1};
    t = tensors(small_path("flip.safetensors"));
    check_ok(hst_tutorial_apply(&d, x.data, W, H, &e), &e);
    check_close(x.data, tensor(t, "output", N), N, 0, 0, "flip");
    hst_tensors_free(t);
    free(x.data);
    check_photo();
}

/* ---- draws ---- */

static void draws_of_the_tutorial(void **state)
{
    (void)state;
    double angle = 0, dx = 0, zx = 0, flips = 0;
    const int n = 4000;
    for (int i = 0; i < n; i++) {
        hst_augment_key key = {7, (uint32_t)(i / 100), (uint32_t)(i % 100)};
        hst_tutorial_draw d = hst_tutorial_draw_new(&key, 200, 100);
        assert_true(fabsf(d.angle) < 251.33f && fabsf(d.dx) <= 40 && fabsf(d.dy) <= 20);
        assert_true(d.zx >= .8f && d.zx <= 1.2f && d.zy >= .8f && d.zy <= 1.2f);
        angle += fabs((double)d.angle) / n;
        dx += fabs((double)d.dx) / n;
        zx += (double)d.zx / n;
        flips += (double)d.flip / n;
    }
    /* five standard deviations of the mean */
    assert_true(fabs(angle - 40 * 3.14159265) < 5.8);
    assert_true(fabs(dx - 20) < .92);
    assert_true(fabs(zx - 1) < .0092);
    assert_true(fabs(flips - .5) < .04);
}

static void each_part_of_a_key_counts(void **state)
{
    (void)state;
    const hst_augment_key keys[] = {{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 3, 2}};
    hst_auto_draw a = hst_auto_draw_new(&keys[0]), same = hst_auto_draw_new(&keys[0]);
    assert_memory_equal(&a, &same, sizeof a);
    for (size_t i = 1; i < sizeof keys / sizeof *keys; i++) {
        hst_auto_draw b = hst_auto_draw_new(&keys[i]);
        assert_true(a.area != b.area && a.x != b.x && a.contrast != b.contrast);
    }
}

/* ---- auto ---- */

static const hst_auto_draw unchanged = {
    .area = 1, .aspect = 1, .x = .5f, .y = .5f, .brightness = 1, .contrast = 1, .saturation = 1};

/* Smooth, so that two ways of resizing it agree: red rises to the right, green downwards, blue is
 * a wave. To be freed. */
static hst_image smooth_picture(int w, int h)
{
    hst_image img = {calloc((size_t)w * (size_t)h, 3), w, h};
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double u = (x + .5) / w, v = (y + .5) / h;
            uint8_t *p = img.rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
            p[0] = (uint8_t)(20 + 200 * u);
            p[1] = (uint8_t)(20 + 200 * v);
            p[2] = (uint8_t)(128 + 90 * sin(6.28 * (u + v)));
        }
    return img;
}

/* The largest and the mean difference of n numbers. */
static void difference(const float *a, const float *b, size_t n, double *most, double *mean)
{
    *most = *mean = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        *most = d > *most ? d : *most;
        *mean += d / (double)n;
    }
}

static void check_unchanged(const hst_prep *p, int w, int h)
{
    hst_err e = {0};
    const size_t n = hst_size_pixels(p->size) * 3;
    float *got = malloc(n * sizeof *got), *want = malloc(n * sizeof *want);
    hst_image img = smooth_picture(w, h);
    double most, mean;
    check_ok(hst_auto_apply(&unchanged, p, &img, got, &e), &e);
    check_ok(hst_prepare(p, &img, want, &e), &e);
    difference(got, want, n, &most, &mean);
    if (most > 3.5 || mean > .8)
        fail_msg("%d x %d to %d x %d: differences up to %g, %g in the mean", w, h, p->size.width,
                 p->size.height, most, mean);
    hst_image_clear(&img);
    free(got);
    free(want);
}

/* Where the draw changes nothing, auto is the preparation, mirrored or not, resizing apart; of a
 * photo that is cut, where its middle begins at whole pixels. */
static void auto_unchanged_is_the_preparation(void **state)
{
    (void)state;
    static const int sizes[][2] = {{500, 333}, {96, 96}, {40, 200}, {301, 77}, {1201, 903}};
    static const hst_size outputs[] = {{96, 96}, {128, 72}, {72, 128}};
    for (size_t k = 0; k < 3 * 4; k++) {
        hst_err e = {0};
        hst_prep p = {
            k % 2 ? HST_RESAMPLE_TF : HST_RESAMPLE_PIL, outputs[k / 4], {{1, 2, 3}, {1, 1, 1}}};
        p.mirror = k / 2 % 2;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_unchanged(&p, sizes[i][0], sizes[i][1]);
        check_ok(hst_prep_fit(&p, "crop", &e), &e);
        check_unchanged(&p, 400, 200);
    }
}

static float mean_of(const float *x, size_t n, int c)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[3 * i + (size_t)c];
    return (float)(sum / (double)n);
}

/* Each draw does what its name says, seen in red and green, which rise to the right and down. */
static void auto_draws_do_what_they_say(void **state)
{
    (void)state;
    enum { P = 64, M = P * P };
    static float x[3 * M], y[3 * M];
    hst_err e = {0};
    hst_prep p = {HST_RESAMPLE_PIL, {P, P}, {{0}, {1, 1, 1}}};
    hst_image img = smooth_picture(200, 150);
    check_ok(hst_auto_apply(&unchanged, &p, &img, x, &e), &e);

    hst_auto_draw d = unchanged;
    d.flip = 1;
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    for (int i = 0; i < P; i++)
        assert_true(fabsf(y[3 * i] - x[3 * (P - 1 - i)]) < .01f);

    d = unchanged;
    d.area = .25f, d.x = 0, d.y = 1; /* the lower left quarter */
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    assert_true(fabsf(mean_of(y, M, 0) - 70) < 1.5f && fabsf(mean_of(y, M, 1) - 170) < 1.5f);

    d = unchanged;
    d.angle = .1f; /* clockwise out of the photo: the right end comes from further down */
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    assert_true(y[3 * (P * 32 + 60) + 1] - y[3 * (P * 32 + 4) + 1] > 15);

    d = unchanged;
    d.brightness = .5f;
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    for (size_t i = 0; i < 3 * M; i++)
        assert_true(fabsf(y[i] - .5f * x[i]) < .01f);

    d = unchanged;
    d.contrast = 0;
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    for (size_t i = 0; i < 3 * M; i++)
        assert_true(fabsf(y[i] - 127.5f) < .01f);

    d = unchanged;
    d.saturation = 0;
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    for (size_t i = 0; i < M; i++) {
        float gray = .299f * x[3 * i] + .587f * x[3 * i + 1] + .114f * x[3 * i + 2];
        for (size_t c = 0; c < 3; c++)
            assert_true(fabsf(y[3 * i + c] - gray) < .01f);
    }

    d = unchanged;
    d.brightness = 5; /* stays within what a photo can have */
    check_ok(hst_auto_apply(&d, &p, &img, y, &e), &e);
    for (size_t i = 0; i < 3 * M; i++)
        assert_true(y[i] >= 0 && y[i] <= 255);
    hst_image_clear(&img);
}

/* ---- both ---- */

/* Any shape, any size of the network's input: numbers within the range of pixels, the same at each
 * call. */
static void odd_sizes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 400}, {400, 1}, {2, 3}, {3000, 7}, {97, 101}};
    static const int outputs[] = {1, 2, 31, 257, 300};
    for (size_t i = 0; i < 6 * 5 * 3 * 4; i++) {
        hst_err e = {0};
        enum hst_augment how = (enum hst_augment)(i % 3);
        const hst_size to = {outputs[i / 3 % 5], outputs[(i / 3 + i / 15) % 5]};
        const int crop = i / 90 % 2;
        const int *size = sizes[i / 15 % 6];
        hst_prep p = {i / 180 ? HST_RESAMPLE_TF : HST_RESAMPLE_PIL, to, {{0}, {1, 1, 1}}};
        p.geometry = crop ? HST_CROP_TORCHVISION : HST_SQUASH;
        p.resize = crop ? (hst_size){to.width + 1, to.height + 1} : (hst_size){0, 0};
        hst_image img = smooth_picture(size[0], size[1]);
        hst_augment_key key = {i, 1, 2};
        size_t n = hst_size_pixels(to) * 3;
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        check_ok(hst_augment_image(how, &p, &img, &key, x, &e), &e);
        check_ok(hst_augment_image(how, &p, &img, &key, y, &e), &e);
        assert_memory_equal(x, y, n * sizeof *x);
        for (size_t k = 0; k < n; k++)
            if (!(x[k] > -.01f && x[k] < 255.01f))
                fail_msg("%d x %d to %d x %d: [%zu] is %g", img.w, img.h, to.width, to.height, k,
                         (double)x[k]);
        free(y);
        free(x);
        hst_image_clear(&img);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reflection_of_tensorflow),
        cmocka_unit_test(layers_equal_keras),
        cmocka_unit_test(five_layers_equal_keras),
        cmocka_unit_test(draws_of_the_tutorial),
        cmocka_unit_test(each_part_of_a_key_counts),
        cmocka_unit_test(auto_unchanged_is_the_preparation),
        cmocka_unit_test(auto_draws_do_what_they_say),
        cmocka_unit_test(odd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
