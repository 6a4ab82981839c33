/* images: the two resizers, byte for byte and bit for bit. */
#include "support.h"

#include "images/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Vectors of one dimension from TensorFlow. */
static void tf_vectors(void **state)
{
    (void)state;
    static const struct {
        int in, out;
        uint8_t src[7];
        float want[5];
    } cases[] = {
        {5, 3, {0, 10, 20, 30, 40}, {3.33333302f, 20, 36.6666641f}},
        {3, 5, {0, 10, 20}, {0, 4.00000048f, 10, 16.0000019f, 20}},
        {7, 3, {0, 1, 4, 9, 16, 25, 36}, {.666666627f, 9, 28.6666641f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err e = {0};
        float got[5];
        hst_resampling across = {cases[i].src, cases[i].in, 1, 1, cases[i].out, 1};
        check_ok(hst_resize_tf(&across, got, &e), &e);
        assert_memory_equal(got, cases[i].want, sizeof(float) * (size_t)cases[i].out);
        hst_resampling down = {cases[i].src, 1, cases[i].in, 1, 1, cases[i].out};
        check_ok(hst_resize_tf(&down, got, &e), &e);
        assert_memory_equal(got, cases[i].want, sizeof(float) * (size_t)cases[i].out);
    }
}

/* A stored array; data is NULL where there is none (an identity, or a case too big to keep here).
 */
static npy read_part(const char *name, const char *part)
{
    char relative[96];
    snprintf(relative, sizeof relative, "golden/resize/%s_%s.npy", name, part);
    char *path = shared_path(relative);
    npy a = path ? npy_read(path) : (npy){0};
    free(path);
    return a;
}

static const struct method {
    const char *tf, *pil;
    double atol; /* of TensorFlow's; 0: the same bits */
} methods[] = {[HST_BILINEAR] = {"bilinear", "pil_bilinear", 0},
               [HST_BICUBIC] = {"bicubic", "pil_bicubic", 1e-4},
               [HST_BILINEAR_ANTIALIAS] = {"bilinear_aa", "pil_bilinear", 3e-3},
               [HST_BICUBIC_ANTIALIAS] = {"bicubic_aa", "pil_bicubic", 1e-3}};

static void check_tf(const char *name, const hst_resampling *r)
{
    hst_err e = {0};
    const struct method *m = &methods[r->interpolation];
    npy want = read_part(name, m->tf);
    size_t n = (size_t)r->dw * (size_t)r->dh * (size_t)r->c;
    int identity = r->dw == r->sw && r->dh == r->sh;
    float *got = calloc(n, sizeof *got);
    check_ok(hst_resize_tf(r, got, &e), &e);
    for (size_t i = 0; i < n && (want.data || identity); i++) {
        float w = want.data ? ((float *)want.data)[i] : (float)r->src[i];
        if (fabs((double)got[i] - (double)w) > m->atol)
            fail_msg("%s %s [%zu]: %.9g, want %.9g", name, m->tf, i, (double)got[i], (double)w);
    }
    free(want.data);
    free(got);
}

static void check_pil(const char *name, const hst_resampling *r)
{
    hst_err e = {0};
    npy want = read_part(name, methods[r->interpolation].pil);
    size_t n = (size_t)r->dw * (size_t)r->dh * (size_t)r->c;
    uint8_t *got = calloc(n, 1);
    check_ok(hst_resize_pil(r, got, &e), &e);
    for (size_t i = 0; i < n && want.data; i++)
        if (got[i] != ((uint8_t *)want.data)[i])
            fail_msg("%s %s [%zu]: %d, want %d", name, methods[r->interpolation].pil, i, got[i],
                     ((uint8_t *)want.data)[i]);
    free(want.data);
    free(got);
}

static void golden_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int dw, dh;
    } cases[] = {{"1x1_to_4x3", 3, 4},      {"224_identity", 224, 224},
                 {"2x9_to_9x2", 2, 9},      {"313x207_to_224", 224, 224},
                 {"480x320_to_96", 96, 96}, {"50x71_to_224", 224, 224},
                 {"5x3_to_7x2", 2, 7},      {"7x5_to_3x4", 4, 3}};
    int n = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        npy in = read_part(cases[i].name, "in");
        if (!in.data) /* of the shared data */
            continue;
        hst_resampling r = {in.data,        (int)in.dim[1], (int)in.dim[0],
                            (int)in.dim[2], cases[i].dw,    cases[i].dh};
        for (int k = HST_BILINEAR; k <= HST_BICUBIC_ANTIALIAS; k++) {
            r.interpolation = (enum hst_interpolation)k;
            check_tf(cases[i].name, &r);
            check_pil(cases[i].name, &r);
        }
        free(in.data);
        n++;
    }
    assert_true(n >= 4);
}

enum { MOST = 40 };

static int up_to(uint32_t *random, int n)
{
    *random = *random * 1664525u + 1013904223u;
    return (int)((*random >> 8) % (uint32_t)n);
}

/* Both resizers of r, and of everything it is a window of. */
static void check_window(const hst_resampling *r)
{
    static uint8_t all8[MOST * MOST * 3], part8[MOST * MOST * 3];
    static float all[MOST * MOST * 3], part[MOST * MOST * 3];
    hst_err e = {0};
    hst_resampling whole = *r;
    whole.w = whole.h = 0;
    check_ok(hst_resize_pil(&whole, all8, &e), &e);
    check_ok(hst_resize_pil(r, part8, &e), &e);
    check_ok(hst_resize_tf(&whole, all, &e), &e);
    check_ok(hst_resize_tf(r, part, &e), &e);
    size_t row = (size_t)(r->w * r->c);
    for (int y = 0; y < r->h; y++) {
        size_t from = (size_t)(((r->y + y) * r->dw + r->x) * r->c), to = (size_t)y * row;
        assert_memory_equal(part8 + to, all8 + from, row);
        assert_memory_equal(part + to, all + from, row * sizeof *all);
    }
}

static void a_window_is_a_part_of_the_whole(void **state)
{
    (void)state;
    uint32_t random = 5;
    for (int k = 0; k < 3000; k++) {
        int sw = 1 + up_to(&random, MOST), sh = 1 + up_to(&random, MOST);
        int c = k % 4 ? 3 : 1, same = k % 5;
        hst_resampling r = {NULL, sw, sh, c};
        uint8_t *src = malloc((size_t)(sw * sh * c)); /* of its own: a sanitizer sees its end */
        for (int i = 0; i < sw * sh * c; i++)
            src[i] = (uint8_t)up_to(&random, 256);
        r.src = src;
        r.dw = same == 0 || same == 1 ? sw : 1 + up_to(&random, MOST);
        r.dh = same == 0 || same == 2 ? sh : 1 + up_to(&random, MOST);
        r.interpolation = (enum hst_interpolation)up_to(&random, 4);
        r.x = up_to(&random, r.dw);
        r.y = up_to(&random, r.dh);
        r.w = 1 + up_to(&random, r.dw - r.x);
        r.h = 1 + up_to(&random, r.dh - r.y);
        check_window(&r);
        free(src);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tf_vectors),
        cmocka_unit_test(golden_cases),
        cmocka_unit_test(a_window_is_a_part_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
