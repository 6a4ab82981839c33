/* Several backbones and views: what they give is what each gives by itself, put together; and a
 * model on them is kept whole. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "features/features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { W = 50, H = 41, N_CLASSES = 3 };
static const char *const labels[N_CLASSES] = {"a", "b", "c"};

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b; /* two side by side */
    char *dir, photo[4096];
    uint8_t *bytes;
    size_t n;
} scene;

static scene set_up(int threads, const char *views)
{
    hst_err err = {0};
    scene s = {.ctx = made_up_ctx(threads)};
    s.b = made_up_backbone(s.ctx, 1);
    s.b->beside = made_up_backbone(s.ctx, 2);
    for (hst_backbone *b = s.b; views && b; b = b->beside)
        check_ok(hst_views_parse(views, &b->views, &err), &err);
    s.dir = temporary_folder();
    snprintf(s.photo, sizeof s.photo, "%s/photo.png", s.dir);
    made_up_png(s.photo, W, H, 5);
    check_ok(hst_file_read(s.photo, 1 << 20, HST_EIO, &s.bytes, &s.n, &err), &err);
    return s;
}

static void tear_down(scene *s)
{
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
    free(s->bytes);
}

static hst_extractor *extractor(const scene *s)
{
    hst_err err = {0};
    hst_extractor *e = hst_extractor_of(s->ctx, s->b, NULL, &err);
    check_ok(e == NULL, &err);
    return e;
}

/* Of the scene's photo, to be freed. */
static float *features(const scene *s, const hst_extractor *e)
{
    hst_err err = {0};
    hst_looking *l = hst_looking_new(s->ctx, e, &err);
    float *x = malloc((size_t)e->dim * sizeof *x);
    hst_looking_at_bytes(l, s->bytes, s->n);
    check_ok(hst_looking_run(l, NULL, x, &err), &err);
    hst_looking_free(l);
    return x;
}

/* What one backbone gives for one preparation, by the plain functions. To be freed. */
static float *alone(const scene *s, const hst_backbone *b, const hst_prep *p)
{
    hst_err err = {0};
    hst_plan *plan = hst_backbone_plan_at(s->ctx, b, b->graph, p->size, &err);
    check_ok(plan == NULL, &err);
    float *x = malloc(hst_size_pixels(p->size) * 3 * sizeof *x);
    float *y = malloc((size_t)hst_plan_output(plan).c * sizeof *y);
    hst_work *w = hst_work_new(plan, &err);
    check_ok(hst_prepare_bytes(p, s->bytes, s->n, x, &err), &err);
    hst_plan_run(plan, w, x, 1, y);
    hst_work_free(w);
    hst_plan_free(plan);
    free(x);
    return y;
}

static void words_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "mirror,", "mirrored",      "31",         "1025",
                                      "64,64",    "64,,96",  "mirror,mirror", " mirror",    "-64",
                                      "1e2",      "00064",   "64,96,128,160", "64x",        "x64",
                                      "64x96x64", "64x31",   "1025x64",       "64x96,64x96"};
    hst_err err = {0};
    hst_views v;
    check_ok(hst_views_parse("288,mirror,crop,64", &v, &err), &err);
    assert_true(v.mirror && v.crop && v.n_sizes == 2 && v.size[0].width == 288 &&
                v.size[1].height == 64);
    check_ok(hst_views_parse("64,64x96,96x64", &v, &err), &err);
    assert_true(v.n_sizes == 3 && v.size[1].width == 64 && v.size[1].height == 96);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        v.n_sizes = 77;
        assert_int_equal(hst_views_parse(bad[i], &v, &err), HST_EARG);
        assert_int_equal(v.n_sizes, 77);
    }
}

static void views_are_listed(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_views v;
    hst_prep base = {.size = {224, 224}}, out[HST_MAX_VIEWS];
    check_ok(hst_views_parse("mirror,288,224,crop", &v, &err), &err);
    assert_int_equal(hst_views_list(&v, &base, out), 6); /* 224 is there already */
    assert_int_equal(out[1].size.width, 288);
    assert_true(out[2].geometry == HST_CROP_HF && out[2].size.width == 224 &&
                out[2].resize.width == 256);
    for (int i = 0; i < 3; i++) {
        assert_false(out[i].mirror);
        out[i].mirror = 1;
        assert_memory_equal(&out[i], &out[i + 3], sizeof *out);
        check_ok(hst_prep_check(&out[i], &err), &err);
    }
    base.geometry = HST_CROP_TORCHVISION;
    base.resize = hst_size_square(256);
    (void)hst_views_list(&v, &base, out);
    assert_int_equal(out[1].resize.width, 330); /* 329.1 */

    check_ok(hst_views_parse("64x128,crop", &v, &err), &err);
    assert_int_equal(hst_views_list(&v, &base, out), 3);
    assert_true(out[1].size.width == 64 && out[1].size.height == 128);
    assert_true(out[1].resize.width == 74 && out[1].resize.height == 147); /* 73.1 and 146.3 */
    base.size = (hst_size){70, 140};
    (void)hst_views_list(&v, &base, out);
    assert_true(out[2].resize.width == 80 && out[2].resize.height == 160);
}

static void a_mirrored_view_is_the_mirrored_photo(void **state)
{
    (void)state;
    enum { PX = 33 };
    hst_err err = {0};
    scene s = set_up(1, NULL);
    hst_prep p = {.size = {PX, PX}, .norm = s.b->arch.norm};
    float *plain = malloc(PX * PX * 3 * sizeof *plain), *mirrored = malloc(PX * PX * 3 * 4);
    check_ok(hst_prepare_bytes(&p, s.bytes, s.n, plain, &err), &err);
    p.mirror = 1;
    check_ok(hst_prepare_bytes(&p, s.bytes, s.n, mirrored, &err), &err);
    for (int i = 0; i < PX * PX; i++)
        assert_memory_equal(plain + 3 * i, mirrored + 3 * (i / PX * PX + PX - 1 - i % PX), 12);
    free(plain);
    free(mirrored);
    tear_down(&s);
}

/* The whole vector against the parts, computed one by one. */
static void the_vector_is_that_of_its_parts(void **state)
{
    (void)state;
    scene s = set_up(1, "mirror,40,crop");
    hst_extractor *e = extractor(&s);
    assert_int_equal(e->n_branches, 2);
    e->branch[0].transform = HST_ROOT;
    e->branch[1].transform = HST_UNIT;
    float *x = features(&s, e);
    for (int k = 0; k < 2; k++) {
        const hst_branch *b = &e->branch[k];
        float *view[HST_MAX_VIEWS];
        double squares = 0;
        assert_int_equal(b->n_views, 6);
        for (int i = 0; i < b->n_views; i++)
            view[i] = alone(&s, b->backbone, &b->view[i].prep);
        double *mean = calloc((size_t)b->dim, sizeof *mean);
        for (int j = 0; j < b->dim; j++) {
            for (int i = 0; i < b->n_views; i++)
                mean[j] += (double)view[i][j] / b->n_views;
            squares += mean[j] * mean[j];
        }
        for (int j = 0; j < b->dim; j++) {
            double want = k ? mean[j] / sqrt(squares) : copysign(sqrt(fabs(mean[j])), mean[j]);
            assert_float_equal(x[b->first + j], want, 1e-6);
        }
        for (int i = 0; i < b->n_views; i++)
            free(view[i]);
        free(mean);
    }
    free(x);
    hst_extractor_free(e);
    tear_down(&s);
}

/* With one view and no transform nothing is computed that could change a bit. */
static void one_view_alone_keeps_its_bits(void **state)
{
    (void)state;
    scene s = set_up(1, NULL);
    hst_extractor *e = extractor(&s);
    float *x = features(&s, e);
    for (int k = 0; k < 2; k++) {
        const hst_branch *b = &e->branch[k];
        float *want = alone(&s, b->backbone, &b->view[0].prep);
        assert_memory_equal(x + b->first, want, (size_t)b->dim * sizeof *want);
        free(want);
    }
    free(x);
    hst_extractor_free(e);
    tear_down(&s);
}

static void fill_head(hst_model *m)
{
    for (int i = 0; i < m->dim * N_CLASSES; i++)
        m->kernel[i] = (float)made_up_noise(9, (uint32_t)i);
}

/* Saved and loaded, it predicts the same bits, on one thread and on all. */
static void a_model_keeps_its_branches(void **state)
{
    (void)state;
    hst_err err = {0};
    char path[4096], text[256];
    float prob[3][N_CLASSES];
    scene s = set_up(3, "mirror,40");
    hst_extractor *e = extractor(&s);
    e->branch[1].transform = HST_ROOT;
    hst_model *m = hst_model_new(e, labels, N_CLASSES, &err);
    check_ok(m == NULL, &err);
    fill_head(m);
    check_ok(hst_model_seal(m, &err), &err);
    snprintf(path, sizeof path, "%s/m.safetensors", s.dir);
    check_ok(hst_model_save(m, path, &err), &err);
    hst_model *back = hst_model_load(s.ctx, path, &err);
    check_ok(back == NULL, &err);
    assert_string_equal(hst_model_record(back, "content_sha256"),
                        hst_model_record(m, "content_sha256"));
    int passes;
    assert_float_equal(hst_model_cost(back, &passes), 2 * (2 + 2 * 40. * 40 / (32 * 32)), 1e-9);
    assert_int_equal(passes, 8);
    const size_t length = hst_model_extractor(back, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "mobilenet_v2 32, 40, 32 mirrored, 40 mirrored; "
                              "mobilenet_v2 32, 40, 32 mirrored, 40 mirrored (sqrt)");

    char table[2048];
    const uint64_t each = hst_backbone_describe(hst_model_backbone_at(back, 1))->n_params;
    const uint64_t head = ((uint64_t)m->dim + 1) * N_CLASSES;
    assert_null(hst_model_backbone_at(back, 2));
    assert_true(hst_model_summary(back, table, sizeof table) < sizeof table);
    assert_non_null(strstr(table, " keras_layer_1 (KerasLayer)"));
    snprintf(text, sizeof text, "Total params: %llu ", (unsigned long long)(2 * each + head));
    assert_non_null(strstr(table, text));

    float *x = features(&s, m->extractor);
    hst_model_head(m, x, prob[0]);
    hst_session *session = hst_session_open(s.ctx, back, &err);
    check_ok(hst_predict_file(session, s.photo, prob[1], N_CLASSES, &err), &err);
    hst_image img;
    check_ok(
        hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, s.bytes, s.n, &img, &err),
        &err);
    hst_pixels pixels = hst_pixels_default();
    pixels.rgb = img.rgb;
    pixels.width_px = W;
    pixels.height_px = H;
    check_ok(hst_predict_rgb(session, &pixels, prob[2], N_CLASSES, &err), &err);
    assert_memory_equal(prob[0], prob[1], sizeof prob[0]);
    assert_memory_equal(prob[0], prob[2], sizeof prob[0]);
    hst_image_clear(&img);
    hst_session_free(session);
    free(x);
    hst_model_free(back);
    hst_model_free(m);
    tear_down(&s);
}

/* A plain model says nothing of branches: programs of the first version read it. */
static void a_plain_model_is_of_the_first_version(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, NULL);
    char path[4096];
    uint8_t *bytes;
    size_t n;
    hst_model *m = made_up_model(s.b->beside, labels, N_CLASSES);
    assert_non_null(hst_model_plain(m));
    snprintf(path, sizeof path, "%s/m.safetensors", s.dir);
    check_ok(hst_model_save(m, path, &err), &err);
    check_ok(hst_file_read(path, 1 << 30, HST_EIO, &bytes, &n, &err), &err);
    assert_non_null(memmem(bytes, n, "\"format_version\":\"1\"", 20));
    assert_null(memmem(bytes, n, "branches", 8));
    free(bytes);
    hst_model_free(m);
    tear_down(&s);
}

static void the_store_keeps_views_apart(void **state)
{
    (void)state;
    need_part("SQLite");
    hst_err err = {0};
    scene s = set_up(1, "mirror");
    char *cache = temporary_folder();
    hst_config cfg = hst_config_default();
    cfg.threads = 2;
    cfg.cache_dir = cache;
    hst_ctx *ctx = hst_open(&cfg, &err);
    const char *const paths[] = {s.photo};
    hst_data *d = hst_data_from_files(paths, 1, &err);
    hst_extractor *e = extractor(&s);
    hst_features *first = hst_features_through(ctx, e, d, 1, &err);
    check_ok(first == NULL, &err);
    assert_int_equal(hst_features_stored(first), 0);
    hst_features *again = hst_features_through(ctx, e, d, 0, &err);
    check_ok(again == NULL, &err);
    assert_int_equal(hst_features_stored(again), 1);
    assert_memory_equal(first->x, again->x, (size_t)e->dim * sizeof(float));
    /* each view is found by itself, in another extractor */
    s.b->views.mirror = 0;
    hst_features *one = hst_features_compute(ctx, s.b, d, NULL, &err);
    check_ok(one == NULL, &err);
    assert_int_equal(hst_features_stored(one), 1);
    assert_memory_equal(one->x, first->views, (size_t)e->branch[0].dim * sizeof(float));
    hst_features_free(one);
    hst_features_free(again);
    hst_features_free(first);
    hst_extractor_free(e);
    hst_data_free(d);
    hst_close(ctx);
    remove_tree(cache);
    free(cache);
    tear_down(&s);
}

static void names_with_a_plus_are_several(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, NULL);
    made_up tensors = made_up_tensors(0.1, 3);
    char *a = made_up_folder(&tensors, MADE_UP_CONFIG), names[8192];
    hst_backbone_opts o = hst_backbone_opts_default();
    o.views = "mirror";
    snprintf(names, sizeof names, "%s+%s", a, a);
    hst_backbone *b = hst_backbone_open_with(s.ctx, names, &o, &err);
    check_ok(b == NULL, &err);
    assert_true(hst_backbone_beside(b) && !hst_backbone_beside(hst_backbone_beside(b)));
    assert_true(hst_backbone_beside(b)->views.mirror);
    hst_backbone_free(b);
    o.scaling = "01";
    assert_null(hst_backbone_open_with(s.ctx, names, &o, &err));
    assert_int_equal(err.code, HST_EARG);
    snprintf(names, sizeof names, "%s+", a);
    assert_null(hst_backbone_open(s.ctx, names, &err));
    assert_int_equal(err.code, HST_EARG);
    made_up_free(&tensors);
    remove_tree(a);
    free(a);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read),
        cmocka_unit_test(views_are_listed),
        cmocka_unit_test(a_mirrored_view_is_the_mirrored_photo),
        cmocka_unit_test(the_vector_is_that_of_its_parts),
        cmocka_unit_test(one_view_alone_keeps_its_bits),
        cmocka_unit_test(a_model_keeps_its_branches),
        cmocka_unit_test(a_plain_model_is_of_the_first_version),
        cmocka_unit_test(the_store_keeps_views_apart),
        cmocka_unit_test(names_with_a_plus_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
