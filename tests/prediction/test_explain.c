/* Class-activation maps: what the positions are worth adds up to the logit, whatever the views, the
 * backbones, the transforms and the size of the map, and lies where on the photo it belongs. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "prediction/cam_grid.h"
#include "prediction/explain.h"
#include "prediction/prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CLASSES = 3 };
static const char *const labels[N_CLASSES] = {"a", "b", "c"};

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b; /* two side by side */
    hst_model *m;
    char *dir, photo[4096];
} scene;

/* size: of the first view; transform: of the first branch, the other has "l2". */
static scene set_up(int threads, hst_size size, const char *views, enum hst_transform transform)
{
    hst_err err = {0};
    scene s = {.ctx = made_up_ctx(threads), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    s.b->beside = made_up_backbone(s.ctx, 2);
    for (hst_backbone *b = s.b; b; b = b->beside)
        check_ok(hst_views_parse(views, &b->views, &err), &err);
    hst_extractor *e = hst_extractor_new(&err);
    check_ok(e == NULL, &err);
    for (const hst_backbone *b = s.b; b; b = b->beside) {
        hst_prep base = {.size = size, .norm = b->arch.norm}, view[HST_MAX_VIEWS];
        check_ok(hst_extractor_add_branch(e, b, &err), &err);
        for (int i = 0, n = hst_views_list(&b->views, &base, view); i < n; i++)
            check_ok(hst_extractor_add_view(e, s.ctx, &view[i], &err), &err);
        e->branch[e->n_branches - 1].transform = b == s.b ? transform : HST_UNIT;
    }
    s.m = hst_model_new(e, labels, N_CLASSES, &err);
    check_ok(s.m == NULL, &err);
    for (int i = 0; i < s.m->dim * N_CLASSES; i++)
        s.m->kernel[i] = (float)made_up_noise(1, (uint32_t)i);
    for (int i = 0; i < N_CLASSES; i++)
        s.m->bias[i] = (float)i - 0.5f;
    snprintf(s.photo, sizeof s.photo, "%s/photo.png", s.dir);
    made_up_png(s.photo, 150, 101, 5);
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

static const hst_cam *explain(hst_explainer *x, const char *path, int label)
{
    hst_err err = {0};
    const hst_cam *c = hst_explain_file(x, path, label, &err);
    check_ok(c == NULL, &err);
    return c;
}

static double mean(const float *map, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)map[i];
    return sum / n;
}

static double magnitude(const float *map, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += fabs((double)map[i]);
    return sum / n;
}

/* Sums of about 1000 floats, each rounded once: a few ulp of what is added up. */
static void check_sum(const float *map, int n, double want)
{
    const double most = 1e-6 * magnitude(map, n);
    if (!(fabs(mean(map, n) - want) <= most))
        fail_msg("a mean of %.9g, expected %.9g within %.1g", mean(map, n), want, most);
}

/* Every class of the scene's photo; and what they say differs as their probabilities do, which is
 * the softmax of nothing but the logits. */
static void check_photo(const scene *s)
{
    hst_err err = {0};
    float prob[N_CLASSES], other[40 * 23];
    double log_ratio = 0, logit = 0;
    hst_session *session = hst_session_open(s->ctx, s->m, &err);
    hst_explainer *x = explainer(s);
    check_ok(hst_predict_file(session, s->photo, prob, N_CLASSES, &err), &err);
    for (int c = 0; c < N_CLASSES; c++) {
        const hst_cam *cam = explain(x, s->photo, c);
        assert_int_equal(cam->label, c);
        assert_int_equal(cam->n, N_CLASSES);
        assert_memory_equal(cam->prob, prob, sizeof prob);
        check_sum(cam->map, cam->width * cam->height, cam->logit - cam->bias);
        check_ok(hst_explainer_map(x, 40, 23, other, &err), &err);
        check_sum(other, 40 * 23, cam->logit - cam->bias);
        check_ok(hst_explainer_map(x, 2, 3, other, &err), &err);
        check_sum(other, 6, cam->logit - cam->bias);
        if (c > 0) {
            const double got = mean(cam->map, cam->width * cam->height) + cam->bias - logit;
            assert_true(fabs(got - (log((double)prob[c]) - log_ratio)) < 2e-5);
        }
        logit = cam->logit;
        log_ratio = log((double)prob[c]);
    }
    hst_explainer_free(x);
    hst_session_free(session);
}

static void positions_add_up_to_the_logit(void **state)
{
    (void)state;
    static const struct {
        hst_size size;
        const char *views;
    } cases[] = {{{64, 64}, "64"},          {{64, 64}, "mirror"}, {{64, 64}, "mirror,160,crop"},
                 {{64, 64}, "crop,96,128"}, {{160, 64}, "64"},    {{64, 96}, "mirror,160x64,crop"}};
    for (int t = HST_IDENTITY; t < HST_TRANSFORMS; t++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            scene s = set_up(1 + (int)i % 2, cases[i].size, cases[i].views, (enum hst_transform)t);
            check_photo(&s);
            tear_down(&s);
        }
}

/* Of one view of the whole photo the map is the head at every position, each number of it. */
static void one_view_is_the_head_at_every_position(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, (hst_size){128, 96}, "128x96", HST_IDENTITY);
    hst_extractor *plain = hst_extractor_new(&err);
    const hst_prep p = {.size = {128, 96}, .norm = s.b->arch.norm};
    check_ok(hst_extractor_add_branch(plain, s.b, &err), &err);
    check_ok(hst_extractor_add_view(plain, s.ctx, &p, &err), &err);
    hst_model *m = hst_model_new(plain, labels, N_CLASSES, &err);
    memcpy(m->kernel, s.m->kernel, (size_t)m->dim * N_CLASSES * sizeof *m->kernel);
    hst_extractor *maps = hst_extractor_with_maps(plain, s.ctx, &err);
    check_ok(maps == NULL, &err);
    const hst_shape shape = maps->branch[0].view[0].map;
    assert_true(shape.h == 3 && shape.w == 4 && shape.c == m->dim);

    uint8_t *bytes;
    size_t n;
    float *raw = malloc(hst_plan_output_floats(maps->branch[0].view[0].plan) * sizeof *raw);
    check_ok(hst_file_read(s.photo, 1 << 20, HST_EIO, &bytes, &n, &err), &err);
    hst_looking *l = hst_looking_new(s.ctx, maps, &err);
    hst_looking_at_bytes(l, bytes, n);
    check_ok(hst_looking_view(l, 0, NULL, raw, &err), &err);
    hst_explainer *x = hst_explainer_new(s.ctx, m, maps, &err);
    check_ok(x == NULL, &err);
    const hst_cam *cam = explain(x, s.photo, 1);
    assert_true(cam->width == 4 && cam->height == 3);
    for (int at = 0; at < 12; at++) {
        double want = 0, size = 0;
        for (int k = 0; k < m->dim; k++) {
            want += (double)raw[at * m->dim + k] * (double)m->kernel[k * N_CLASSES + 1];
            size += fabs((double)raw[at * m->dim + k] * (double)m->kernel[k * N_CLASSES + 1]);
        }
        assert_true(fabs((double)cam->map[at] - want) < 1e-6 * size);
    }
    hst_explainer_free(x);
    hst_looking_free(l);
    hst_extractor_free(maps);
    hst_model_free(m);
    free(raw);
    free(bytes);
    tear_down(&s);
}

/* The head of a BMP file of 24 bits a pixel; rows, of a multiple of four bytes, from the bottom up.
 */
static void begin_bmp(uint8_t *bytes, uint32_t w, uint32_t h)
{
    const uint32_t size = 54 + w * h * 3, offset = 54, header = 40;
    memset(bytes, 0, 54);
    memcpy(bytes, "BM", 2);
    memcpy(bytes + 2, &size, 4);
    memcpy(bytes + 10, &offset, 4);
    memcpy(bytes + 14, &header, 4);
    memcpy(bytes + 18, &w, 4);
    memcpy(bytes + 22, &h, 4);
    bytes[26] = 1;
    bytes[28] = 24;
}

/* A black photo with random pixels in one quarter. */
static void draw_corner(const char *path, int right, int bottom)
{
    enum { W = 192, H = 128 };
    hst_err err = {0};
    uint8_t bytes[54 + W * H * 3];
    begin_bmp(bytes, W, H);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const int in = (x >= W / 2) == right && (y >= H / 2) == bottom;
            uint8_t *pixel = bytes + 54 + ((H - 1 - y) * W + x) * 3; /* from the bottom up */
            for (int c = 0; c < 3; c++)
                pixel[c] = in ? (uint8_t)(255 * (made_up_noise(3, (uint32_t)(y * W + x)) + .5)) : 0;
        }
    check_ok(hst_file_write(path, bytes, sizeof bytes, &err), &err);
}

/* Four convolutions of 2 x 2, of which a position sees its own 16 x 16 of 128 x 128 pixels, in the
 * place of b's own network. */
static void give_short_sight(const hst_ctx *ctx, hst_backbone *b)
{
    hst_err err = {0};
    hst_graph *g = hst_graph_new(&err);
    int node = hst_graph_input(g, (hst_shape){128, 128, 3}, &err);
    for (int i = 0; i < 4; i++) {
        const hst_conv c = {2, 2, 16, HST_PAD_TF, 0};
        char name[16];
        snprintf(name, sizeof name, "conv%d", i);
        node = hst_graph_conv2d(g, node, &c, name, &err);
        node = hst_graph_activation(g, node, HST_ACT_RELU, &err);
    }
    assert_true(hst_graph_global_average(g, node, &err) > 0);
    check_ok(hst_graph_finish(g, &err), &err);
    made_up_fill(g);
    hst_graph_free(b->graph);
    hst_plan_free(b->plan);
    b->arch.size = hst_size_square(128);
    b->graph = g;
    b->plan = hst_plan_new(g, ctx->kernels, &err);
    check_ok(b->plan == NULL, &err);
}

/* A texture in one corner of a black photo is worth something there and nothing elsewhere: in
 * mirrored views, in the middle that is cut out, and in both together. */
static void a_corner_stays_in_its_corner(void **state)
{
    (void)state;
    enum { SIDE = 24 };
    static const char *const views[] = {"128", "mirror", "mirror,crop"};
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(2);
    hst_backbone *b = made_up_backbone(ctx, 1);
    char *dir = temporary_folder(), path[4096];
    snprintf(path, sizeof path, "%s/corner.bmp", dir);
    give_short_sight(ctx, b);
    b->arch.norm = (hst_pixel_norm){{0, 0, 0}, {128, 128, 128}};
    for (size_t i = 0; i < 2 * sizeof views / sizeof *views; i++) {
        b->arch.sizing = (hst_sizing){.known = 1, .geometry = i % 2 ? HST_CROP_HF : HST_SQUASH};
        b->arch.sizing.resize = hst_size_square(i % 2 ? 140 : 0);
        b->views = (hst_views){0};
        check_ok(hst_views_parse(views[i / 2], &b->views, &err), &err);
        hst_extractor *e = hst_extractor_of(ctx, b, "hub", &err);
        check_ok(e == NULL, &err);
        hst_model *m = hst_model_new(e, labels, N_CLASSES, &err);
        check_ok(m == NULL, &err);
        for (int k = 0; k < m->dim * N_CLASSES; k++)
            m->kernel[k] = (float)made_up_noise(1, (uint32_t)k);
        hst_explainer *x = hst_explainer_open(ctx, m, &err);
        check_ok(x == NULL, &err);
        for (int corner = 0; corner < 4; corner++) {
            float map[SIDE * SIDE];
            double sum[4] = {0};
            draw_corner(path, corner % 2, corner / 2);
            explain(x, path, 0);
            check_ok(hst_explainer_map(x, SIDE, SIDE, map, &err), &err);
            for (int k = 0; k < SIDE * SIDE; k++)
                sum[k / SIDE / (SIDE / 2) * 2 + k % SIDE / (SIDE / 2)] += fabs((double)map[k]);
            for (int k = 0; k < 4; k++)
                assert_true(k == corner ? sum[k] > 0 : sum[k] < 0.2 * sum[corner]);
        }
        hst_explainer_free(x);
        hst_model_free(m);
    }
    hst_backbone_free(b);
    hst_close(ctx);
    remove_tree(dir);
    free(dir);
}

/* Plain and mirrored views change places when the photo is mirrored, and with them left and right
 * of the map. As large as the network's input, so that no resizing comes between. */
static void a_mirrored_photo_mirrors_the_map(void **state)
{
    (void)state;
    enum { SIDE = 96 };
    hst_err err = {0};
    scene s = set_up(1, hst_size_square(SIDE), "mirror", HST_ROOT);
    hst_explainer *x = explainer(&s);
    uint8_t bytes[54 + SIDE * SIDE * 3];
    char path[4096];
    float map[2][9];
    snprintf(path, sizeof path, "%s/photo.bmp", s.dir);
    for (int mirrored = 0; mirrored < 2; mirrored++) {
        begin_bmp(bytes, SIDE, SIDE);
        for (int k = 0; k < SIDE * SIDE; k++)
            for (int c = 0; c < 3; c++) {
                const int col = mirrored ? SIDE - 1 - k % SIDE : k % SIDE;
                bytes[54 + 3 * (k / SIDE * SIDE + col) + c] =
                    (uint8_t)(255 * (made_up_noise(4, (uint32_t)(3 * k + c)) + .5));
            }
        check_ok(hst_file_write(path, bytes, sizeof bytes, &err), &err);
        const hst_cam *cam = explain(x, path, 0);
        assert_true(cam->width == 3 && cam->height == 3);
        memcpy(map[mirrored], cam->map, sizeof map[0]);
    }
    const double most = 1e-5 * magnitude(map[0], 9);
    for (int k = 0; k < 9; k++)
        assert_true(fabs((double)map[0][k] - (double)map[1][k / 3 * 3 + 2 - k % 3]) < most);
    assert_true(fabs((double)map[0][0] - (double)map[0][2]) > 100 * most);
    hst_explainer_free(x);
    tear_down(&s);
}

/* ---- the grid ---- */

static void a_view_is_put_at_its_place(void **state)
{
    (void)state;
    hst_err err = {0};
    const float map[6] = {1, 2, 3, 4, 5, 6}, step[4] = {0, 0, 1, 1};
    const hst_image_part all = {0, 0, 1, 1}, part = {.25, .5, .5, .5};
    hst_cam_view v = {.map = map, .w = 3, .h = 2, .part = all};
    float same[6] = {0}, fine[8] = {0}, few[2] = {0}, within[16] = {0};
    check_ok(hst_cam_view_add(&v, 3, 2, same, &err), &err);
    check_close(same, map, 6, 0, 1e-7, "as many cells as positions");
    v = (hst_cam_view){.map = step, .w = 4, .h = 1, .part = all};
    check_ok(hst_cam_view_add(&v, 8, 1, fine, &err), &err);
    /* Keys' filter a quarter beside a position: -9, 111, 29, -3 parts of 128. */
    float between[8] = {0, -3, -9, 29 - 3, 111 - 9, 128 + 9, 128 + 3, 128};
    for (int k = 0; k < 8; k++)
        between[k] /= 128;
    check_close(fine, between, 8, 0, 1e-6, "between the positions");
    v = (hst_cam_view){.map = map, .w = 3, .h = 2, .part = all};
    check_ok(hst_cam_view_add(&v, 2, 1, few, &err), &err);
    const float overlapped[2] = {(1 + 4 + 1 + 2.5f) / 3, (3 + 6 + 1 + 2.5f) / 3};
    check_close(few, overlapped, 2, 0, 1e-6, "fewer cells than positions");

    const float four[4] = {1, 2, 3, 4};
    v = (hst_cam_view){.map = four, .w = 2, .h = 2, .part = part};
    check_ok(hst_cam_view_add(&v, 4, 4, within, &err), &err);
    const float want[16] = {[9] = 4, [10] = 8, [13] = 12, [14] = 16}; /* on a quarter: 4 times */
    check_close(within, want, 16, 0, 1e-6, "a part of the photo");
}

static void parts_are_those_that_are_cut_out(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_image_part p;
    hst_prep prep = {.size = {224, 224}};
    check_ok(hst_prep_part(&prep, 300, 100, &p, &err), &err);
    assert_true(p.left == 0 && p.top == 0 && p.width == 1 && p.height == 1);
    prep.geometry = HST_CROP_HF;
    prep.resize = hst_size_square(256);
    check_ok(hst_prep_part(&prep, 200, 100, &p, &err), &err); /* 512 x 256 */
    assert_true(p.left == 144.0 / 512 && p.width == 224.0 / 512);
    assert_true(p.top == 16.0 / 256 && p.height == 224.0 / 256);
    assert_int_equal(hst_prep_part(&prep, 100000000, 1, &p, &err), HST_EIMAGE);
}

/* ---- what is asked for ---- */

static void threads_change_no_bit(void **state)
{
    (void)state;
    float first[32 * 32];
    int n = 0;
    for (int threads = 1; threads <= 4; threads++) {
        scene s = set_up(threads, hst_size_square(64), "mirror,96", HST_ROOT);
        hst_explainer *x = explainer(&s);
        const hst_cam *cam = explain(x, s.photo, 2);
        if (threads == 1)
            n = cam->width * cam->height;
        if (threads == 1)
            memcpy(first, cam->map, (size_t)n * sizeof *first);
        assert_int_equal(cam->width * cam->height, n);
        assert_memory_equal(first, cam->map, (size_t)n * sizeof *first);
        hst_explainer_free(x);
        tear_down(&s);
    }
}

static void the_predicted_class_is_the_usual_one(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, hst_size_square(64), "mirror", HST_IDENTITY);
    hst_explainer *x = explainer(&s);
    const hst_cam *cam = explain(x, s.photo, -1);
    for (int c = 0; c < N_CLASSES; c++)
        assert_true(cam->prob[c] <= cam->prob[cam->label]);
    uint8_t *bytes;
    size_t n;
    float map[64];
    const int label = cam->label, cells = cam->width * cam->height;
    memcpy(map, cam->map, (size_t)cells * sizeof *map);
    check_ok(hst_file_read(s.photo, 1 << 20, HST_EIO, &bytes, &n, &err), &err);
    cam = hst_explain_bytes(x, bytes, n, label, &err);
    check_ok(cam == NULL, &err);
    assert_memory_equal(cam->map, map, (size_t)cells * sizeof *map);
    free(bytes);
    hst_explainer_free(x);
    tear_down(&s);
}

static void what_cannot_be_explained_is_refused(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, hst_size_square(64), "mirror", HST_IDENTITY);
    hst_explainer *x = explainer(&s);
    assert_null(hst_explain_file(x, s.photo, N_CLASSES, &err));
    assert_int_equal(err.code, HST_EARG);
    assert_null(hst_explain_file(x, s.photo, -2, &err));
    assert_int_equal(err.code, HST_EARG);
    assert_null(hst_explain_file(x, "no such file.png", 0, &err));
    assert_int_equal(err.code, HST_EIMAGE);
    assert_non_null(strstr(err.msg, "no such file.png"));
    assert_null(hst_explain_bytes(x, "words", 5, 0, &err));
    assert_int_equal(err.code, HST_EIMAGE);
    explain(x, s.photo, 0); /* goes on */
    hst_explainer_free(x);
    tear_down(&s);
}

/* A network that ends in something else than the mean over positions. */
static void a_network_without_a_map_is_refused(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1, hst_size_square(64), "mirror", HST_IDENTITY);
    hst_graph *g = hst_graph_new(&err), *usual = s.b->graph;
    const hst_conv c = {.kernel = 3, .stride = 2, .channels = s.m->extractor->branch[0].dim};
    int node = hst_graph_input(g, (hst_shape){32, 32, 3}, &err);
    node = hst_graph_global_average(g, node, &err);
    node = hst_graph_conv2d(g, node, &(hst_conv){1, 1, c.channels, HST_PAD_TF, 0}, "top", &err);
    assert_true(node > 0);
    check_ok(hst_graph_finish(g, &err), &err);
    s.b->graph = g;
    assert_null(hst_explainer_open(s.ctx, s.m, &err));
    assert_int_equal(err.code, HST_EUNSUP);
    assert_non_null(strstr(err.msg, "mobilenet_v2"));
    s.b->graph = usual;
    hst_graph_free(g);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_add_up_to_the_logit),
        cmocka_unit_test(one_view_is_the_head_at_every_position),
        cmocka_unit_test(a_corner_stays_in_its_corner),
        cmocka_unit_test(a_mirrored_photo_mirrors_the_map),
        cmocka_unit_test(a_view_is_put_at_its_place),
        cmocka_unit_test(parts_are_those_that_are_cut_out),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(the_predicted_class_is_the_usual_one),
        cmocka_unit_test(what_cannot_be_explained_is_refused),
        cmocka_unit_test(a_network_without_a_map_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
