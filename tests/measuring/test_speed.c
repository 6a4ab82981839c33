/* measuring: the speed of a small network, and the work that an image is. */
#include "made_up.h"
#include "support.h"

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
    hst_arch a = {.family = "mobilenet_v2", .px = 224, .cnn = {1, HST_PAD_TF, 1e-3}};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_ordered),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(work_of_an_image),
    };
    return cmocka_run_group_tests_name("speed", tests, NULL, NULL);
}
