/* training: photos mixed in pairs: what is drawn, what becomes of pixels and targets. */
#include "support.h"

#include "training/dense_head.h"
#include "training/mixing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PX = 12, FLOATS = PX * PX * 3, DRAWS = 4000 };
static const hst_size square = {PX, PX}, wide = {18, 8}; /* of as many pixels */

/* E max(b, 1 - b), b ~ Beta(a, a), is 1/2 + E |b - 1/2|, and that mean deviation is
 * 1 / (a 4^a B(a, a)); of a = 1, the uniform distribution, 1/4. */
static double mean_part(double a)
{
    double beta = exp(2 * lgamma(a) - lgamma(2 * a));
    return 0.5 + 1 / (a * pow(4, a) * beta);
}

/* Distance of the mean of the draws from what it should be, in standard errors. */
static void check_parts(double alpha)
{
    const hst_mixing m = {.mixup = alpha};
    double sum = 0, squares = 0;
    for (uint32_t step = 0; step < DRAWS; step++) {
        hst_mix x = hst_mix_draw(&m, 7, step, square);
        assert_int_equal(x.kind, HST_MIX_UP);
        assert_true(x.part >= 0.5F && x.part <= 1);
        sum += (double)x.part;
        squares += (double)x.part * (double)x.part;
    }
    double mean = sum / DRAWS, error = sqrt((squares / DRAWS - mean * mean) / DRAWS);
    if (!(fabs(mean - mean_part(alpha)) < 4 * error))
        fail_msg("alpha %g: mean %.4f, want %.4f (+- %.4f)", alpha, mean, mean_part(alpha), error);
}

static void parts_are_betas(void **state)
{
    (void)state;
    assert_true(fabs(mean_part(1) - 0.75) < 1e-12);
    const double alphas[] = {0.01, 0.2, 0.4, 1, 3};
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++)
        check_parts(alphas[i]);
}

static void a_draw_depends_on_seed_and_step_alone(void **state)
{
    (void)state;
    const hst_mixing up = {.mixup = 1}, both = {1, 1}, none = {0, 0};
    hst_mix a = hst_mix_draw(&up, 1, 5, square), b = hst_mix_draw(&up, 1, 5, square);
    int cuts = 0;
    assert_true(a.part == b.part);
    assert_true(hst_mix_draw(&up, 2, 5, square).part != a.part);
    assert_true(hst_mix_draw(&up, 1, 6, square).part != a.part);
    for (uint32_t step = 0; step < DRAWS; step++)
        cuts += hst_mix_draw(&both, 1, step, square).kind == HST_MIX_CUT;
    assert_in_range(cuts, DRAWS / 2 - 4 * 32, DRAWS / 2 + 4 * 32); /* sqrt(4000) / 2 = 32 */
    a = hst_mix_draw(&none, 1, 5, square);
    assert_true(a.kind == HST_MIX_NONE && a.part == 1);
}

static float *photos(size_t n)
{
    float *x = malloc(n * FLOATS * sizeof *x);
    for (size_t i = 0; i < n * FLOATS; i++)
        x[i] = (float)i;
    return x;
}

/* Of five: two pairs, and one alone. */
static void mixup_is_the_weighted_mean_of_pixels(void **state)
{
    (void)state;
    enum { N = 5 };
    float *x = photos(N), *was = photos(N);
    hst_mix m = {.kind = HST_MIX_UP, .part = 0.75F};
    hst_mix_apply(&m, x, &(hst_mix_rows){N, 0, N}, square);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < FLOATS; k++) {
            float other = was[(N - 1 - i) * FLOATS + k], own = was[i * FLOATS + k];
            assert_true(x[i * FLOATS + k] == 0.75F * own + 0.25F * other);
        }
    assert_int_equal(hst_mix_partner(1, N), 3);
    assert_int_equal(hst_mix_partner(2, N), 2);
    free(x);
    free(was);
}

/* The part is the share of pixels that stayed, whatever of the rectangle fell outside. */
static void check_cut(hst_size size, uint32_t step)
{
    const hst_mixing cut = {.cutmix = 1};
    float *x = photos(2), *was = photos(2);
    const hst_mix m = hst_mix_draw(&cut, 3, step, size);
    size_t own = 0;
    assert_int_equal(m.kind, HST_MIX_CUT);
    hst_mix_apply(&m, x, &(hst_mix_rows){2, 0, 2}, size);
    for (size_t k = 0; k < FLOATS; k++) {
        const int column = (int)(k / 3) % size.width, row = (int)(k / 3) / size.width;
        const int stayed = column < m.left || column >= m.right || row < m.top || row >= m.bottom;
        assert_true(x[k] == was[stayed ? k : FLOATS + k]);
        assert_true(x[FLOATS + k] == was[stayed ? FLOATS + k : k]);
        own += (size_t)stayed;
    }
    assert_true(fabs((double)own / FLOATS - (double)m.part) < 1e-6);
    assert_true(m.part >= 0.5F);
    free(x);
    free(was);
}

static void cutmix_counts_pixels(void **state)
{
    (void)state;
    for (uint32_t step = 0; step < 200; step++) {
        check_cut(square, step);
        check_cut(wide, step);
    }
}

/* The gradient and the loss of a mixture are the weighted means of those of its labels. */
static void targets_are_mixed(void **state)
{
    (void)state;
    enum { DIM = 3, CLASSES = 4, N = 2, PARAMS = (DIM + 1) * CLASSES };
    const float a[DIM] = {0.5F, -1, 2}, b[DIM] = {1, 0.25F, -0.75F}, *const rows[N] = {a, b};
    const int first[N] = {0, 3}, second[N] = {3, 0};
    hst_dense_head h;
    hst_err e = {0};
    float of_first[PARAMS], of_second[PARAMS];
    check_ok(hst_dense_head_init(&h, DIM, CLASSES, N, &e), &e);
    h.label_smoothing = 0.1F;
    for (size_t i = 0; i < PARAMS; i++)
        h.param[i] = 0.1F * (float)(i % 5);
    hst_head_batch batch = {.x = rows, .label = first, .n = N};
    hst_batch_score one = hst_dense_head_gradient(&h, &batch);
    memcpy(of_first, h.grad, sizeof of_first);
    batch.label = second;
    hst_batch_score two = hst_dense_head_gradient(&h, &batch);
    memcpy(of_second, h.grad, sizeof of_second);
    batch.label = first;
    batch.other = second;
    batch.part = 0.75F;
    hst_batch_score mixed = hst_dense_head_gradient(&h, &batch);
    assert_true(fabs(mixed.loss - (0.75 * one.loss + 0.25 * two.loss)) < 1e-12);
    assert_int_equal(mixed.right, one.right); /* the larger part's label counts */
    for (size_t i = 0; i < PARAMS; i++)
        assert_true(fabsf(h.grad[i] - (0.75F * of_first[i] + 0.25F * of_second[i])) < 1e-6F);
    hst_dense_head_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_betas),
        cmocka_unit_test(a_draw_depends_on_seed_and_step_alone),
        cmocka_unit_test(mixup_is_the_weighted_mean_of_pixels),
        cmocka_unit_test(cutmix_counts_pixels),
        cmocka_unit_test(targets_are_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
