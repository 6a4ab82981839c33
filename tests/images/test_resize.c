/* images: the two resizers, byte for byte and bit for bit. */
#include "support.h"

#include "images/resize.h"

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

static npy read_part(const char *name, const char *part)
{
    char relative[96];
    snprintf(relative, sizeof relative, "golden/resize/%s_%s.npy", name, part);
    char *path = shared_path(relative);
    if (!path) {
        assert_non_null(strstr(part, "bilinear")); /* an identity needs no file of its own */
        return (npy){0};
    }
    npy a = npy_read(path);
    free(path);
    return a;
}

static void check_tf(const char *name, const hst_resampling *r)
{
    hst_err e = {0};
    npy want = read_part(name, "bilinear");
    size_t n = (size_t)r->dw * (size_t)r->dh * (size_t)r->c;
    float *got = calloc(n, sizeof *got);
    check_ok(hst_resize_tf(r, got, &e), &e);
    for (size_t i = 0; i < n; i++) {
        float w = want.data ? ((float *)want.data)[i] : (float)r->src[i];
        if (memcmp(&got[i], &w, sizeof w))
            fail_msg("%s tf [%zu]: %.9g, want %.9g", name, i, (double)got[i], (double)w);
    }
    free(want.data);
    free(got);
}

static void check_pil(const char *name, const hst_resampling *r)
{
    hst_err e = {0};
    npy want = read_part(name, "pil_bilinear");
    size_t n = (size_t)r->dw * (size_t)r->dh * (size_t)r->c;
    uint8_t *got = calloc(n, 1);
    check_ok(hst_resize_pil(r, got, &e), &e);
    for (size_t i = 0; i < n && want.data; i++)
        if (got[i] != ((uint8_t *)want.data)[i])
            fail_msg("%s pil [%zu]: %d, want %d", name, i, got[i], ((uint8_t *)want.data)[i]);
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
    char *here = shared_path("golden/resize/1x1_to_4x3_in.npy");
    if (!here)
        skip_shared("golden/resize");
    free(here);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        npy in = read_part(cases[i].name, "in");
        hst_resampling r = {in.data,        (int)in.dim[1], (int)in.dim[0],
                            (int)in.dim[2], cases[i].dw,    cases[i].dh};
        check_tf(cases[i].name, &r);
        check_pil(cases[i].name, &r);
        free(in.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tf_vectors),
        cmocka_unit_test(golden_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
