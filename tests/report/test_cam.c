/* Photos under their class-activation maps: what is coloured, by one thread or many, and what goes
 * wrong on the way. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CLASSES = 3, N_PHOTOS = 6, PX = 64 };
static const char *const labels[N_CLASSES] = {"a & <b>", "b", "c"};

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_model *m;
    char *dir;
    char photo[N_PHOTOS][4096]; /* the last one is none */
} scene;

static scene set_up(int threads)
{
    hst_err err = {0};
    scene s = {.ctx = made_up_ctx(threads), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    hst_extractor *e = hst_extractor_new(&err);
    const hst_prep p = {.size = {PX, PX}, .norm = s.b->arch.norm};
    check_ok(hst_extractor_add_branch(e, s.b, &err), &err);
    check_ok(hst_extractor_add_view(e, s.ctx, &p, &err), &err);
    s.m = hst_model_new(e, labels, N_CLASSES, &err);
    check_ok(s.m == NULL, &err);
    for (int i = 0; i < s.m->dim; i++) {
        s.m->kernel[i * N_CLASSES] = (float)made_up_noise(1, (uint32_t)i);
        s.m->kernel[i * N_CLASSES + 1] = -1; /* features are not negative: nothing speaks for it */
    }
    for (int i = 0; i < N_PHOTOS; i++) {
        snprintf(s.photo[i], sizeof s.photo[i], "%s/%d.png", s.dir, i);
        if (i < N_PHOTOS - 1)
            made_up_png(s.photo[i], 40 + 30 * i, 61, (uint64_t)i);
        else
            check_ok(hst_file_write(s.photo[i], "words", 5, &err), &err);
    }
    return s;
}

static void tear_down(scene *s)
{
    hst_model_free(s->m);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static hst_explainer *explainer(const scene *s)
{
    hst_err err = {0};
    hst_explainer *x = hst_explainer_open(s->ctx, s->m, &err);
    check_ok(x == NULL, &err);
    return x;
}

/* What is under the colours: half of the photo's own. */
static double dulled(const uint8_t *pixel, int c)
{
    return 0.5 * pixel[c] + 0.5 * (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]);
}

/* Evidence is coloured, up to the brightest yellow where there is the most; all else is not. */
static void evidence_is_coloured(void **state)
{
    (void)state;
    static const uint8_t brightest[3] = {252, 255, 164};
    hst_err err = {0};
    scene s = set_up(1);
    hst_explainer *x = explainer(&s);
    for (int label = 0; label < 2; label++) {
        hst_image photo = {0}, drawn = {0};
        check_ok(hst_thumbnail_read(s.ctx, s.photo[2], 160, &photo, &err), &err);
        check_ok(hst_explain_file(x, s.photo[2], label, &err) == NULL, &err);
        check_ok(hst_report_cam(x, 160, &drawn, &err), &err);
        assert_true(drawn.w == photo.w && drawn.h == photo.h && drawn.w == 160);
        const size_t n = (size_t)photo.w * (size_t)photo.h;
        float *map = malloc(n * sizeof *map);
        check_ok(hst_explainer_map(x, photo.w, photo.h, map, &err), &err);
        size_t top = 0, off = 0, on = 0, line = 0;
        for (size_t i = 0; i < n; i++)
            top = map[i] > map[top] ? i : top;
        for (size_t i = 0; i < n; i++) {
            const uint8_t *is = drawn.rgb + 3 * i, *was = photo.rgb + 3 * i;
            const int white = is[0] == 255 && is[1] == 255 && is[2] == 255;
            if (map[i] <= 0)
                for (int c = 0; c < 3; c++)
                    assert_true(fabs(is[c] - dulled(was, c)) <= 1);
            off += map[i] <= 0;
            on += map[i] > 0;
            line += white && map[i] >= map[top] / 2;
        }
        if (label == 0) {
            assert_true(off > n / 20 && on > n / 20 && line > 20);
            for (int c = 0; c < 3; c++)
                assert_true(fabs(drawn.rgb[3 * top + (size_t)c] -
                                 (0.35 * dulled(photo.rgb + 3 * top, c) + 0.65 * brightest[c])) <=
                            1);
        } else {
            assert_true(on == 0 && line == 0);
        }
        free(map);
        hst_image_clear(&photo);
        hst_image_clear(&drawn);
    }
    hst_explainer_free(x);
    tear_down(&s);
}

static void many_are_what_one_is(void **state)
{
    (void)state;
    hst_image first[N_PHOTOS], out[N_PHOTOS];
    for (int threads = 1; threads <= 3; threads++) {
        hst_err err = {0};
        scene s = set_up(threads);
        hst_cam_wish wish[N_PHOTOS];
        for (int i = 0; i < N_PHOTOS; i++)
            wish[i] = (hst_cam_wish){s.photo[i], i % 2 ? -1 : 2 - i / 2};
        check_ok(hst_report_cams(s.ctx, s.m, wish, N_PHOTOS, 80, out, &err), &err);
        assert_null(out[N_PHOTOS - 1].rgb);
        hst_explainer *x = explainer(&s);
        for (int i = 0; i < N_PHOTOS - 1; i++) {
            hst_image alone;
            const size_t n = 3 * (size_t)out[i].w * (size_t)out[i].h;
            check_ok(hst_explain_file(x, wish[i].path, wish[i].label, &err) == NULL, &err);
            check_ok(hst_report_cam(x, 80, &alone, &err), &err);
            assert_true(alone.w == out[i].w && alone.h == out[i].h);
            assert_memory_equal(alone.rgb, out[i].rgb, n);
            hst_image_clear(&alone);
            if (threads == 1)
                first[i] = out[i];
            else
                assert_memory_equal(first[i].rgb, out[i].rgb, n);
            if (threads > 1)
                hst_image_clear(&out[i]);
        }
        wish[3].label = N_CLASSES;
        assert_int_equal(hst_report_cams(s.ctx, s.m, wish, N_PHOTOS, 80, out, &err), HST_EARG);
        for (int i = 0; i < N_PHOTOS; i++)
            assert_null(out[i].rgb);
        hst_explainer_free(x);
        tear_down(&s);
    }
    for (int i = 0; i < N_PHOTOS - 1; i++)
        hst_image_clear(&first[i]);
}

static void nothing_is_drawn_of_no_photo(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    hst_explainer *x = explainer(&s);
    char path[4200];
    snprintf(path, sizeof path, "%s/cam.png", s.dir);
    assert_int_equal(hst_explain_draw(x, path, &err), HST_EARG);
    check_ok(hst_explain_file(x, s.photo[0], -1, &err) == NULL, &err);
    assert_null(hst_explain_file(x, s.photo[N_PHOTOS - 1], -1, &err));
    assert_int_equal(hst_explain_draw(x, path, &err), HST_EARG);
    check_ok(hst_explain_file(x, s.photo[0], -1, &err) == NULL, &err);
    assert_null(hst_explain_file(x, "none.png", -1, &err));
    assert_int_equal(hst_explain_draw(x, path, &err), HST_EARG);
    assert_false(hst_is_file(path));
    check_ok(hst_explain_file(x, s.photo[0], -1, &err) == NULL, &err);
    check_ok(hst_explain_draw(x, path, &err), &err);
    assert_true(hst_is_file(path));
    snprintf(path, sizeof path, "%s/none/cam.png", s.dir);
    assert_int_equal(hst_explain_draw(x, path, &err), HST_EIO);
    hst_explainer_free(x);
    tear_down(&s);
}

/* ---- the stream ---- */

typedef struct stream {
    const scene *s;
    const char *folder; /* of the pictures */
    size_t at, n, delivered, drawn, stop_at;
} stream;

static int next(void *arg, char *path, size_t cap)
{
    stream *t = arg;
    if (t->at == t->n)
        return 0;
    snprintf(path, cap, "%s", t->s->photo[t->at++ % N_PHOTOS]);
    return 1;
}

/* Every third has none. */
static int picture(void *arg, char *path, size_t cap)
{
    const stream *t = arg;
    if (t->at % 3 == 0)
        return 0;
    snprintf(path, cap, "%s/%zu.cam.png", t->folder, t->at - 1);
    return 1;
}

static int deliver(void *arg, const hst_prediction *p)
{
    stream *t = arg;
    char path[4200];
    snprintf(path, sizeof path, "%s/%zu.cam.png", t->folder, (size_t)p->index);
    assert_int_equal(p->index, t->delivered);
    const int bad = p->index % N_PHOTOS == N_PHOTOS - 1, none = p->index % 3 == 2;
    assert_int_equal(p->code, bad ? HST_EIMAGE : 0);
    assert_int_equal(p->picture == NULL, bad || none);
    assert_int_equal(hst_is_file(path), !(bad || none));
    if (p->picture)
        assert_string_equal(p->picture, path);
    t->drawn += p->picture != NULL;
    return ++t->delivered == t->stop_at;
}

static int stream_run(stream *t, hst_err *err)
{
    hst_explain_calls c = hst_explain_calls_default();
    c.next = next;
    c.picture = picture;
    c.deliver = deliver;
    c.arg = t;
    return hst_explain_stream(t->s->ctx, t->s->m, &c, err);
}

static void a_stream_draws_in_order(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        hst_err err = {0};
        scene s = set_up(threads);
        char none[4200];
        stream all = {.s = &s, .folder = s.dir, .n = 30};
        stream stops = {.s = &s, .folder = s.dir, .n = 30, .stop_at = 4};
        check_ok(stream_run(&all, &err), &err);
        assert_int_equal(all.delivered, 30);
        assert_int_equal(all.drawn, 20);
        assert_int_equal(stream_run(&stops, &err), HST_ESTOPPED);
        assert_int_equal(stops.delivered, 4);
        snprintf(none, sizeof none, "%s/none", s.dir);
        stream lost = {.s = &s, .folder = none, .n = 30};
        assert_int_equal(stream_run(&lost, &err), HST_EIO);
        assert_non_null(strstr(err.msg, "none"));
        assert_int_equal(lost.delivered, 0);
        const hst_explain_calls nobody = hst_explain_calls_default();
        assert_int_equal(hst_explain_stream(s.ctx, s.m, &nobody, &err), HST_EARG);
        tear_down(&s);
    }
}

/* Asked by a leak checker, where there is one: fontconfig never frees its caches. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_is_coloured),
        cmocka_unit_test(many_are_what_one_is),
        cmocka_unit_test(nothing_is_drawn_of_no_photo),
        cmocka_unit_test(a_stream_draws_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
