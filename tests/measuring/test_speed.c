/* measuring: the speed of a small network, and the work that an image is. */
#include "made_up.h"
#include "support.h"

#include "measuring/rounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int stop(void *arg, const hst_progress *p)
{
    (void)arg;
    return strcmp(p->what, "bench") == 0;
}

static void rates_are_ordered(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(2);
    hst_backbone *b = made_up_backbone(ctx, 1);
    hst_speed s = {.size = sizeof s};
    check_ok(hst_speed_measure(ctx, b, 0, &s, &err), &err);
    const hst_rate all[] = {s.peak_one, s.peak_all, s.copy, s.images_one, s.images_all};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(all[i].median > 0 && all[i].best >= all[i].median);
    assert_int_equal(s.threads, 2);
    assert_true(s.rounds >= 3 && s.rounds_shared >= 0 && s.rounds_shared <= s.rounds);
    hst_backbone_free(b);
    hst_close(ctx);
}

static void it_can_be_stopped(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *plain = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(plain, 1);
    hst_config cfg = hst_config_default();
    cfg.progress = stop;
    hst_ctx *ctx = hst_open(&cfg, &err);
    hst_speed s = {.size = sizeof s};
    assert_int_equal(hst_speed_measure(ctx, b, 60, &s, &err), HST_ESTOPPED);
    hst_close(ctx);
    hst_backbone_free(b);
    hst_close(plain);
}

/* MobileNetV2 1.0 at 224 pixels: the multiply-adds that are counted by hand. */
static void work_of_an_image(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_arch a = {.family = "mobilenet_v2", .size = {224, 224}, .cnn = {1, HST_PAD_TF, 1e-3}};
    a.norm = (hst_pixel_norm){{0}, {1, 1, 1}};
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    static const int blocks[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                     {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    double sum = 112.0 * 112 * 27 * 32;
    int c = 32, px = 112;
    for (int i = 0; i < 7; i++)
        for (int n = 0; n < blocks[i][2]; n++) {
            const int hidden = c * blocks[i][0], to = n == 0 ? px / blocks[i][3] : px;
            sum += hidden > c ? (double)px * px * c * hidden : 0;
            sum += (double)to * to * hidden * (9 + blocks[i][1]);
            c = blocks[i][1];
            px = to;
        }
    sum += 49.0 * 320 * 1280;
    assert_true(hst_graph_flops(g) == 2 * sum);
    hst_graph_free(g);
}

/* A run that is timed step by step makes the same numbers, and its steps are all of the network. */
static void profile_is_the_network(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(ctx, 1);
    hst_profile *p = hst_profile_measure(ctx, b, 0, &err);
    check_ok(p == NULL, &err);
    double flops = 0;
    const hst_step_speed *s, *last = NULL;
    for (int i = 0; (s = hst_profile_at(p, i)); i++, last = s) {
        assert_true(s->best_s > 0 && s->median_s >= s->best_s);
        assert_true(s->arithmetic_s >= 0 && s->data_s > 0);
        flops += s->flops;
    }
    const double whole = hst_graph_flops(b->graph);
    assert_true(fabs(flops - whole) < 1e-9 * whole);
    assert_non_null(last);
    assert_int_equal(last->out[2], hst_plan_output(b->plan).c);
    assert_null(hst_profile_at(p, -1));
    hst_profile_free(p);

    const size_t in = hst_shape_floats(hst_plan_input(b->plan)),
                 out = hst_plan_output_floats(b->plan);
    float *x = calloc(in, sizeof *x), *y = calloc(2 * out, sizeof *y);
    double *seconds = calloc((size_t)hst_plan_n_steps(b->plan), sizeof *seconds);
    hst_work *w = hst_work_new(b->plan, &err);
    assert_true(x && y && seconds && w);
    for (size_t i = 0; i < in; i++)
        x[i] = (float)made_up_noise(3, (uint32_t)i);
    hst_plan_run(b->plan, w, x, 1, y);
    hst_plan_run_timed(b->plan, w, x, y + out, seconds);
    assert_memory_equal(y, y + out, out * sizeof *y);
    hst_work_free(w);
    free(x);
    free(y);
    free(seconds);
    hst_backbone_free(b);
    hst_close(ctx);
}

/* Rounds beside a probe that found less than usual do not count; where hardly any is left, all do.
 */
static void shared_rounds_are_left_out(void **state)
{
    (void)state;
    hst_rounds r = {.n = 6, .probe = {5.6, 5.6, 3.2, 5.5, 5.6, 5.7, 5.6}};
    const double rates[] = {10, 99, 98, 12, 11, 13};
    hst_rounds_judge(&r);
    assert_int_equal(r.n_shared, 2);
    const hst_rate rate = hst_rounds_rate(&r, rates, 1);
    assert_true(rate.best == 13 && rate.median == 12);

    hst_rounds few = {.n = 4, .probe = {5.6, 3.2, 3.2, 5.6, 5.6}};
    hst_rounds_judge(&few);
    assert_int_equal(few.n_shared, 3);
    assert_int_equal(few.n_counts, 4);

    /* A probe that was itself interrupted may say anything; it is no reference. */
    hst_rounds odd = {.n = 9, .probe = {4, 4, 4, 4, 4, 4, 4, 4, 4, 9000}};
    hst_rounds_judge(&odd);
    assert_int_equal(odd.n_shared, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_ordered),          cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(work_of_an_image),           cmocka_unit_test(profile_is_the_network),
        cmocka_unit_test(shared_rounds_are_left_out),
    };
    return cmocka_run_group_tests_name("speed", tests, NULL, NULL);
}
