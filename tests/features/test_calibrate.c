/* features: the ranges that int8 needs, from photos. */
#include "features/store.h"
#include "made_up.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct scene {
    char dir[64];
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
} scene;

static scene set_up(int threads)
{
    hst_err err = {0};
    scene s = {.dir = "/tmp/headstart-test-XXXXXX"};
    assert_non_null(mkdtemp(s.dir));
    made_up_photos(s.dir, 2, 20, 40, 30);
    s.ctx = made_up_ctx(threads);
    s.b = made_up_backbone(s.ctx, 1);
    hst_data_opts o = hst_data_opts_default();
    s.d = hst_data_open(s.ctx, s.dir, &o, &err);
    check_ok(s.d == NULL, &err);
    return s;
}

static void tear_down(scene *s)
{
    char command[96];
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    snprintf(command, sizeof command, "rm -r %s", s->dir);
    assert_int_equal(system(command), 0);
}

static hst_backbone *in_8_bits(const scene *s, const hst_data *d)
{
    hst_err err = {0};
    hst_backbone *b = hst_backbone_in(s->ctx, s->b, HST_PRECISION_INT8, &err);
    check_ok(b == NULL, &err);
    check_ok(hst_backbone_calibrate(s->ctx, b, d, NULL, &err), &err);
    return b;
}

static int same_ranges(const hst_backbone *a, const hst_backbone *b)
{
    return memcmp(a->ranges, b->ranges, (size_t)hst_graph_n_nodes(a->graph) * sizeof *a->ranges) ==
           0;
}

static hst_store_kind kind_of(const scene *s, const hst_backbone *b)
{
    hst_err err = {0};
    hst_prep prep;
    hst_store_kind kind;
    check_ok(hst_extractor_prep(b, NULL, &prep, &err), &err);
    check_ok(hst_store_kind_of(s->ctx, b, &prep, &kind, &err), &err);
    return kind;
}

/* Every product of more than a few numbers has one; 0 is in it. */
static void layers_have_ranges(void **state)
{
    (void)state;
    scene s = set_up(1);
    hst_backbone *b = in_8_bits(&s, s.d);
    int n = 0;
    for (int i = 0; i < hst_graph_n_nodes(b->graph); i++) {
        assert_true(b->ranges[i].least <= 0 && b->ranges[i].most >= 0);
        n += b->ranges[i].least < b->ranges[i].most;
    }
    assert_true(n > 30);
    hst_backbone_free(b);
    tear_down(&s);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    scene one = set_up(1), three = set_up(3);
    hst_backbone *a = in_8_bits(&one, one.d), *b = in_8_bits(&three, three.d);
    assert_true(same_ranges(a, b));
    hst_backbone_free(a);
    hst_backbone_free(b);
    tear_down(&one);
    tear_down(&three);
}

static void features_are_stored_by_their_ranges(void **state)
{
    (void)state;
    scene s = set_up(1);
    hst_backbone *b[] = {in_8_bits(&s, s.d), in_8_bits(&s, s.d), in_8_bits(&s, NULL)};
    hst_store_kind kind[4] = {kind_of(&s, b[0]), kind_of(&s, b[1]), kind_of(&s, b[2]),
                              kind_of(&s, s.b)};
    assert_memory_equal(kind[0].prefix, kind[1].prefix, sizeof kind[0].prefix);
    assert_memory_not_equal(kind[0].prefix, kind[2].prefix, sizeof kind[0].prefix);
    assert_memory_not_equal(kind[0].prefix, kind[3].prefix, sizeof kind[0].prefix);
    for (int i = 0; i < 3; i++)
        hst_backbone_free(b[i]);
    tear_down(&s);
}

/* What is known is not looked for again; a folder without a photo that can be used is refused. */
static void odd_photos(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    hst_backbone *b = in_8_bits(&s, NULL), *other = in_8_bits(&s, s.d);
    check_ok(hst_backbone_calibrate(s.ctx, b, s.d, NULL, &err), &err);
    assert_false(same_ranges(b, other));
    check_ok(hst_backbone_calibrate(s.ctx, s.b, s.d, NULL, &err), &err); /* fp32 needs none */
    assert_null(s.b->ranges);
    hst_backbone_free(other);
    hst_backbone_free(b);
    char path[128];
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < 20; i++) {
            snprintf(path, sizeof path, "%s/%c/%d.png", s.dir, 'a' + c, i);
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            fclose(f);
        }
    b = hst_backbone_in(s.ctx, s.b, HST_PRECISION_INT8, &err);
    check_ok(b == NULL, &err);
    assert_int_equal(hst_backbone_calibrate(s.ctx, b, s.d, NULL, &err), HST_EDATA);
    assert_non_null(strstr(err.msg, "no photo of the training side"));
    hst_backbone_free(b);
    tear_down(&s);
}

static int count_looks(void *arg, const hst_progress *p)
{
    *(int *)arg += strcmp(p->what, "ranges") == 0;
    return 0;
}

/* What was found once is in the store, and is not used where the network, the preparation or a
 * photo is another. */
static void ranges_are_kept(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    int looks = 0;
    char *cache = temporary_folder(), path[128];
    hst_config cfg = hst_config_default();
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.cache_dir = cache;
    cfg.progress = count_looks;
    cfg.progress_arg = &looks;
    hst_ctx *ctx = hst_open(&cfg, &err), *usual = s.ctx;
    check_ok(ctx == NULL, &err);
    hst_store *there = hst_store_open(ctx);
    hst_store_close(there);
    hst_backbone *first = in_8_bits(&s, s.d), *b = NULL, *other = made_up_backbone(usual, 2);
    s.ctx = ctx;
    for (int i = 0; there && i < 6; i++) {
        looks = 0;
        if (i == 4) { /* another picture in the place of one */
            snprintf(path, sizeof path, "%s/a/0.png", s.dir);
            made_up_png(path, 40, 30, 99);
        }
        hst_backbone *plain = i == 2 ? other : s.b;
        b = hst_backbone_in(ctx, plain, HST_PRECISION_INT8, &err);
        check_ok(b == NULL, &err);
        check_ok(hst_backbone_calibrate(ctx, b, s.d, i == 3 ? "tf" : NULL, &err), &err);
        assert_int_equal(looks > 0, i != 1 && i != 5);
        assert_int_equal(same_ranges(b, first), i < 2);
        hst_backbone_free(b);
    }
    s.ctx = usual;
    hst_backbone_free(first);
    hst_backbone_free(other);
    hst_close(ctx);
    remove_tree(cache);
    free(cache);
    tear_down(&s);
    if (!there)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_have_ranges), cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(features_are_stored_by_their_ranges), cmocka_unit_test(odd_photos),
        cmocka_unit_test(ranges_are_kept)};
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
