/* features of photos that go through the network together: the bits that each has alone, whatever
 * their number, threads and views; a bad photo among them is only itself skipped, and what the
 * store knows is taken from it. */
#include "made_up.h"
#include "support.h"

#include "features/features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHOTOS = 27, BAD = 5, WORSE = 6, KNOWN = 4 };

typedef struct scene {
    char *cache, *photos;
    char path[PHOTOS][4096];
} scene;

static scene set_up(void)
{
    scene s = {.cache = temporary_folder(), .photos = temporary_folder()};
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(s.path[i], sizeof s.path[i], "%s/%d.png", s.photos, i);
        made_up_png(s.path[i], 40 + i, 36, 10 + (uint64_t)i);
        if (i != BAD && i != WORSE)
            continue;
        FILE *f = fopen(s.path[i], "wb");
        assert_non_null(f);
        fputs("no photo", f);
        fclose(f);
    }
    return s;
}

static void tear_down(scene *s)
{
    remove_tree(s->cache);
    remove_tree(s->photos);
    free(s->cache);
    free(s->photos);
}

static hst_ctx *open_ctx(const scene *s, int threads)
{
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    cfg.threads = threads;
    cfg.offline = 1;
    cfg.cache_dir = s->cache;
    hst_ctx *ctx = hst_open(&cfg, &err);
    check_ok(ctx == NULL, &err);
    return ctx;
}

/* A network whose weights are more than most second-level caches hold. */
static hst_backbone *open_backbone(hst_ctx *ctx, const char *views)
{
    hst_err err = {0};
    made_up m = made_up_tensors(1, 3);
    char *dir = made_up_folder(&m, MADE_UP_CONFIG);
    hst_backbone *b = hst_backbone_open(ctx, dir, &err);
    check_ok(b == NULL, &err);
    if (views)
        check_ok(hst_views_parse(views, &b->views, &err), &err);
    remove_tree(dir);
    free(dir);
    made_up_free(&m);
    return b;
}

static hst_data *photos(const scene *s, int first, int n)
{
    hst_err err = {0};
    const char *paths[PHOTOS];
    for (int i = 0; i < n; i++)
        paths[i] = s->path[first + i];
    hst_data *d = hst_data_from_files(paths, (size_t)n, &err);
    check_ok(d == NULL, &err);
    return d;
}

static hst_features *compute(hst_ctx *ctx, const hst_backbone *b, hst_data *d)
{
    hst_err err = {0};
    hst_features *f = hst_features_compute(ctx, b, d, NULL, &err);
    check_ok(f == NULL, &err);
    return f;
}

/* Every photo in a job of its own. */
static float *alone(const scene *s, hst_ctx *ctx, const hst_backbone *b)
{
    float *x = NULL;
    for (int i = 0; i < PHOTOS; i++) {
        if (i == BAD || i == WORSE)
            continue;
        hst_data *d = photos(s, i, 1);
        hst_features *f = compute(ctx, b, d);
        const int dim = hst_features_dim(f);
        x = x ? x : calloc(PHOTOS, (size_t)dim * sizeof *x);
        memcpy(x + i * dim, hst_features_row(f, 0), (size_t)dim * sizeof *x);
        hst_features_free(f);
        hst_data_free(d);
    }
    return x;
}

static void check(const hst_features *f, const float *want, int first, int n)
{
    const int dim = hst_features_dim(f);
    for (int i = 0; i < n; i++) {
        const int k = first + i;
        const float *row = hst_features_row(f, (size_t)i);
        if (k == BAD || k == WORSE) {
            assert_null(row);
            assert_non_null(hst_features_skipped(f, (size_t)i));
            continue;
        }
        assert_non_null(row);
        assert_memory_equal(row, want + k * dim, (size_t)dim * sizeof *row);
    }
}

static void compare(scene *s, const char *views)
{
    float *want = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        hst_ctx *ctx = made_up_ctx(threads); /* without a store */
        hst_backbone *b = open_backbone(ctx, views);
        want = want ? want : alone(s, ctx, b);
        for (int n = 1; n <= PHOTOS; n += 13) {
            hst_data *d = photos(s, PHOTOS - n, n);
            hst_features *f = compute(ctx, b, d);
            check(f, want, PHOTOS - n, n);
            hst_features_free(f);
            hst_data_free(d);
        }
        hst_backbone_free(b);
        hst_close(ctx);
    }
    hst_ctx *ctx = open_ctx(s, 2);
    hst_backbone *b = open_backbone(ctx, views);
    hst_data *some = photos(s, BAD - 2, KNOWN), *all = photos(s, 0, PHOTOS);
    hst_features_free(compute(ctx, b, some));
    for (size_t stored = KNOWN - 2; stored <= PHOTOS - 2; stored += PHOTOS - KNOWN) {
        hst_features *f = compute(ctx, b, all);
        assert_int_equal(hst_features_stored(f), stored);
        check(f, want, 0, PHOTOS);
        hst_features_free(f);
    }
    hst_data_free(some);
    hst_data_free(all);
    hst_backbone_free(b);
    hst_close(ctx);
    free(want);
}

static void together_as_alone(void **state)
{
    (void)state;
    scene s = set_up();
    compare(&s, NULL);
    compare(&s, "mirror");
    tear_down(&s);
}

static void a_large_network_takes_several(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *large = open_backbone(ctx, NULL), *small = made_up_backbone(ctx, 1);
    hst_extractor *several = hst_extractor_of(ctx, large, NULL, &err);
    hst_extractor *one = hst_extractor_of(ctx, small, NULL, &err);
    check_ok(several == NULL || one == NULL, &err);
    printf("%d and %d views at a time\n", hst_extractor_images(several), hst_extractor_images(one));
    assert_int_equal(hst_extractor_images(one), 1);
    if (hst_plan_defaults().cache_bytes <= 4 << 20)
        assert_true(hst_extractor_images(several) > 1);
    hst_extractor_free(several);
    hst_extractor_free(one);
    hst_backbone_free(large);
    hst_backbone_free(small);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(together_as_alone),
                                       cmocka_unit_test(a_large_network_takes_several)};
    return cmocka_run_group_tests_name("photos in runs", tests, NULL, NULL);
}
