/* Model files: what is saved is loaded; what is damaged is refused. */
#include "file_scene.h"
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static hst_prep *prep_of(const hst_model *m)
{
    return &m->extractor->branch[0].view[0].prep;
}

/* Without fsync: there are thousands. */
static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    check_ok(m == NULL, &err);
    assert_int_equal(hst_model_classes(m), 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(hst_model_label(m, i), labels[i]);
    assert_null(hst_model_label(m, 3));
    assert_null(hst_model_label(m, -1));
    assert_string_equal(hst_model_record(m, "recipe"), "made up");
    assert_null(hst_model_record(m, "absent"));
    assert_string_equal(hst_model_record(m, "content_sha256"),
                        hst_model_record(s->m, "content_sha256"));
    assert_memory_equal(m->kernel, s->m->kernel, (size_t)m->dim * 3 * sizeof(float));
    assert_memory_equal(m->bias, s->m->bias, 3 * sizeof(float));
    assert_memory_equal(prep_of(m), prep_of(s->m), sizeof(hst_prep));
    char want[65], got[65];
    check_ok(hst_backbone_identity(s->b, want, &err), &err);
    check_ok(hst_backbone_identity(hst_model_backbone(m), got, &err), &err);
    assert_string_equal(got, want);
    assert_string_equal(hst_model_backbone(m)->source, s->b->source);
    assert_string_equal(hst_model_backbone(m)->sha256, s->b->sha256);
    check_ok(hst_model_save(m, s->path, &err), &err); /* over the file it came from */
    uint8_t *again;
    size_t n;
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &again, &n, &err), &err);
    assert_int_equal(n, s->n);
    assert_memory_equal(again, s->bytes, n);
    free(again);
    hst_model_free(m);
    tear_down(s);
}

/* A preparation other than the usual squash comes back; the usual one leaves no trace. */
static void every_preparation_is_kept(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    hst_prep prep = *prep_of(s->m);
    assert_null(memmem(s->bytes, s->n, "geometry", 8));
    assert_null(memmem(s->bytes, s->n, "interpolation", 13));
    for (int g = HST_SQUASH; g <= HST_CROP_HF; g++)
        for (int i = HST_BILINEAR; i <= HST_BICUBIC_ANTIALIAS; i++) {
            prep.geometry = (enum hst_geometry)g;
            prep.interpolation = (enum hst_interpolation)i;
            prep.resize = hst_size_square(g == HST_SQUASH ? 0 : prep.size.width + 8);
            *prep_of(s->m) = prep;
            check_ok(hst_model_save(s->m, s->path, &err), &err);
            hst_model *m = hst_model_load(s->ctx, s->path, &err);
            check_ok(m == NULL, &err);
            assert_memory_equal(prep_of(m), &prep, sizeof prep);
            hst_model_free(m);
        }
    tear_down(s);
}

/* No square has a version of its own; a square leaves no trace of that. */
static void both_sides_are_kept(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    hst_prep wide = *prep_of(s->m);
    assert_null(memmem(s->bytes, s->n, "image_width_px", 14));
    wide.size = (hst_size){96, 40};
    wide.geometry = HST_CROP_TORCHVISION;
    wide.resize = (hst_size){100, 50};
    check_ok(hst_extractor_add_view(s->m->extractor, s->ctx, &wide, &err), &err);
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    check_ok(m == NULL, &err);
    assert_memory_equal(&m->extractor->branch[0].view[1].prep, &wide, sizeof wide);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    assert_non_null(memmem(s->bytes, s->n, "\"format_version\":\"5\"", 20));
    assert_non_null(memmem(s->bytes, s->n, "\\\"resize_height_px\\\":50", 22));
    hst_model_free(m);
    tear_down(s);
}

/* Probabilities of a fixed picture. */
static void picture_prob(hst_ctx *ctx, const hst_model *m, float prob[3])
{
    hst_err err = {0};
    uint8_t rgb[40 * 30 * 3];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 37 + i / 120 * 11);
    hst_session *session = hst_session_open(ctx, m, &err);
    check_ok(session == NULL, &err);
    hst_pixels p = hst_pixels_default();
    p.rgb = rgb;
    p.width_px = 40;
    p.height_px = 30;
    check_ok(hst_predict_rgb(session, &p, prob, 3, &err), &err);
    hst_session_free(session);
}

/* Another precision than fp32 has a version of its own; fp32 leaves no trace of that. */
static void the_precision_is_kept(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    assert_null(memmem(s->bytes, s->n, "precision", 9));
    hst_backbone *low = hst_backbone_in(s->ctx, s->b, HST_PRECISION_BF16, &err);
    check_ok(low == NULL, &err);
    hst_model *m = made_up_model(low, labels, 3);
    check_ok(hst_model_save(m, s->path, &err), &err);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    assert_non_null(memmem(s->bytes, s->n, "\"format_version\":\"5\"", 20));
    assert_non_null(memmem(s->bytes, s->n, "\"precision\":\"bf16\"", 18));
    hst_model *again = hst_model_load(s->ctx, s->path, &err);
    check_ok(again == NULL, &err);
    assert_int_equal(hst_model_precision(again), HST_PRECISION_BF16);
    assert_string_equal(hst_backbone_describe(hst_model_backbone(again))->precision, "bf16");
    float want[3], got[3], other[3];
    picture_prob(s->ctx, m, want);
    picture_prob(s->ctx, again, got);
    picture_prob(s->ctx, s->m, other);
    assert_memory_equal(got, want, sizeof got);
    assert_memory_not_equal(got, other, sizeof got);
    hst_model_free(again);
    hst_model_free(m);
    hst_backbone_free(low);
    parts p;
    take_apart(s, &p);
    for (size_t i = 0; i < p.n_meta; i++)
        if (strcmp(p.meta[i].key, "precision") == 0)
            p.meta[i].value = "int4";
    refused_parts(s, &p, "'int4', which is not known here");
    tear_down(s);
}

/* Features in 8 bits take their ranges along. */
static void the_ranges_are_kept(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    assert_null(memmem(s->bytes, s->n, "input_range", 11));
    hst_backbone *low = hst_backbone_in(s->ctx, s->b, HST_PRECISION_INT8, &err);
    check_ok(low == NULL, &err);
    hst_extractor *e = hst_extractor_of(s->ctx, low, NULL, &err);
    assert_null(e); /* its ranges are not known yet */
    assert_int_equal(err.code, HST_EARG);
    check_ok(hst_backbone_calibrate(s->ctx, low, NULL, NULL, &err), &err);
    hst_model *m = made_up_model(low, labels, 3);
    check_ok(hst_model_save(m, s->path, &err), &err);
    hst_model *again = hst_model_load(s->ctx, s->path, &err);
    check_ok(again == NULL, &err);
    assert_int_equal(hst_model_precision(again), HST_PRECISION_INT8);
    const hst_backbone *kept = hst_model_backbone(again);
    assert_memory_equal(kept->ranges, low->ranges,
                        (size_t)hst_graph_n_nodes(low->graph) * sizeof *low->ranges);
    float want[3], got[3], other[3];
    picture_prob(s->ctx, m, want);
    picture_prob(s->ctx, again, got);
    picture_prob(s->ctx, s->m, other);
    assert_memory_equal(got, want, sizeof got);
    assert_memory_not_equal(got, other, sizeof got);
    hst_model_free(again);
    hst_model_free(m);
    hst_backbone_free(low);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    static const char *const why[] = {"is no range", "is not two numbers", "has no ranges"};
    for (int i = 0; i < 3; i++) {
        parts p;
        take_apart(s, &p);
        static const float odd[] = {1, NAN, 0};
        size_t kept_tensors = 0;
        for (size_t k = 0, found = 0; k < p.n; k++) {
            hst_tensor t = p.named[k];
            if (strstr(t.name, "/input_range")) {
                if (i == 2)
                    continue;
                t.dim[0] = found ? 2 : 2 + i;
                t.n_bytes = (size_t)t.dim[0] * sizeof *odd;
                t.data = found++ ? t.data : odd;
            }
            p.named[kept_tensors++] = t;
        }
        p.n = kept_tensors;
        refused_parts(s, &p, why[i]);
    }
    tear_down(s);
}

static void another_process_gives_the_same_bits(void **state)
{
    (void)state;
    scene *s = set_up();
    float here[3], there[3] = {0};
    int fd[2], status;
    picture_prob(s->ctx, s->m, here);
    assert_true(fabsf(here[0] + here[1] + here[2] - 1) < 1e-6f);
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        hst_model *m = hst_model_load(s->ctx, s->path, NULL);
        float prob[3];
        if (m)
            picture_prob(s->ctx, m, prob);
        _exit(!m || write(fd[1], prob, sizeof prob) != (ssize_t)sizeof prob);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(fd[0], there, sizeof there), sizeof there);
    assert_memory_equal(here, there, sizeof here);
    close(fd[0]);
    close(fd[1]);
    tear_down(s);
}

/* Loads these bytes; fails the test unless it is refused in one line that names the file. */
static void refused(scene *s, const uint8_t *bytes, size_t n, const char *what, size_t at)
{
    hst_err err = {0};
    put(s->path, bytes, n);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    if (m || err.code != HST_EMODEL || !strstr(err.msg, s->path) || strchr(err.msg, '\n'))
        fail_msg("%s at %zu: %s, code %d '%s'", what, at, m ? "loaded" : "refused", err.code,
                 err.msg);
}

static uint64_t header_bytes(const scene *s)
{
    uint64_t n;
    memcpy(&n, s->bytes, 8);
    assert_true(n > 1000 && n + 8 < s->n);
    return n;
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    scene *s = set_up();
    size_t data = 8 + header_bytes(s), step = s->n / 97;
    for (size_t n = 0; n < 64; n++)
        refused(s, s->bytes, n, "cut", n);
    for (size_t n = 64; n < data; n += 331)
        refused(s, s->bytes, n, "cut", n);
    for (size_t n = data - 4; n < data + 8; n++)
        refused(s, s->bytes, n, "cut", n);
    for (size_t n = data; n < s->n; n += step)
        refused(s, s->bytes, n, "cut", n);
    refused(s, s->bytes, s->n - 1, "cut", s->n - 1);
    tear_down(s);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    scene *s = set_up();
    size_t data = 8 + header_bytes(s);
    hst_rng r = hst_rng_new(1, HST_RNG_SHUFFLE, 0, 0);
    for (int i = 0; i < 800; i++) {
        /* the length, the header, the data; a long text of the header is chosen more often */
        size_t at = i < 64    ? (size_t)i / 8
                    : i < 500 ? 8 + hst_rng_below(&r, (uint32_t)(data - 8))
                              : data + hst_rng_below(&r, (uint32_t)(s->n - data));
        unsigned bit = i < 64 ? (unsigned)i % 8 : hst_rng_below(&r, 8);
        s->bytes[at] ^= (uint8_t)(1u << bit);
        refused(s, s->bytes, s->n, "bit flipped", at);
        s->bytes[at] ^= (uint8_t)(1u << bit);
    }
    tear_down(s);
}

static void lying_metadata_is_refused(void **state)
{
    (void)state;
#define ARCH(width, px, eps, std)                                                                  \
    "{\"family\": \"mobilenet_v2\", \"width\": " width ", \"image_px\": " px                       \
    ", \"padding\": \"tf\", \"bn_epsilon\": " eps                                                  \
    ", \"mean\": [127.5, 127.5, 127.5], \"std\": [" std ", 127.5, 127.5]}"
#define PREPARE(more)                                                                              \
    "{\"contract\": \"pil\", \"image_px\": 32, \"mean\": [1, 1, 1], \"std\": [1, 1, 1], " more "}"
    static const char *const lies[][3] = {
        {"format", "pt", "not a headstart model"},
        {"format_version", "6", "format version 6"},
        {"arch", "{\"family\": \"mobilenet_v2\", \"image_width_px\": 64}", "image_height_px"},
        {"format_version", "2", "'branches'"},
        {"arch", "", "not valid JSON"},
        {"arch", "{}", "missing"},
        {"arch", "{\"family\": \"resnet\", \"padding\": \"tf\"}", "resnet"},
        {"arch", ARCH("1.0", "32", "0.001", "127.5"), "expected"},
        {"arch", ARCH("1e300", "32", "0.001", "127.5"), "\"width\""},
        {"arch", ARCH("0.1", "2000000000", "0.001", "127.5"), "\"image_px\""},
        {"arch", ARCH("0.1", "64", "0.001", "127.5"), "prepared for 32 pixels"},
        {"arch", ARCH("0.1", "32", "-1", "127.5"), "\"bn_epsilon\""},
        {"arch", ARCH("0.1", "32", "0.001", "0"), "\"std\""},
        {"arch", ARCH("0.1", "32", "0.001", "1e999"), "JSON"},
        {"prepare", "{\"contract\": \"pil\"}", "missing"},
        {"prepare", "{\"contract\": \"jpeg\"}", "contract"},
        {"prepare", "[7]", "not a JSON object"},
        {"prepare", PREPARE("\"interpolation\": \"nearest\""), "nearest"},
        {"prepare", PREPARE("\"interpolation\": 3"), "interpolation"},
        {"prepare", PREPARE("\"geometry\": \"pad\""), "pad"},
        {"prepare", PREPARE("\"geometry\": \"crop-hf\""), "resize_px"},
        {"prepare", PREPARE("\"geometry\": \"crop-hf\", \"resize_px\": 31"), "shortest edge"},
        {"labels", "{}", "not a JSON list"},
        {"labels", "[]", "0 labels"},
        {"labels", "[\"a\", \"b\"]", "head/kernel"},
        {"labels", "[\"a\", \"b\", \"c\", \"d\"]", "head/kernel"},
        {"labels", "[\"a\", \"b\", \"a\"]", "two labels"},
        {"labels", "[\"a\", \"\", \"b\"]", "empty"},
        {"labels", "[\"a\", 3, \"b\"]", "label 1 is not a text"},
        {"labels", "[\"a\", \"\\u0000\", \"b\"]", "JSON"},
        {"record", "[]", "not a JSON object"},
        {"record", "{\"seed\": 7}", "not a text"},
        {"record", "{\"seed\": \"7\", \"seed\": \"8\"}", "duplicate"},
        {"source", "{}", "missing"},
    };
    scene *s = set_up();
    parts *p = calloc(1, sizeof *p);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        take_apart(s, p);
        size_t k = 0;
        while (strcmp(p->meta[k].key, lies[i][0]) != 0)
            k++;
        p->meta[k].value = lies[i][1];
        refused_parts(s, p, lies[i][2]);
        if (strcmp(lies[i][0], "format") == 0)
            continue;
        take_apart(s, p); /* the same line left out */
        memmove(&p->meta[k], &p->meta[k + 1], (p->n_meta - k - 1) * sizeof *p->meta);
        p->n_meta--;
        refused_parts(s, p, "");
    }
    free(p);
    tear_down(s);
}

static void what_was_seen_is_kept(void **state)
{
    (void)state;
    static const uint64_t pixels[] = {0xfedcba9876543210u, 7, 0, 7, 1u << 31};
    static const int64_t lies[][2] = {{7, 7}, {8, 7}, {0, 7}, {-1, 7}};
    scene *s = set_up();
    parts *p = calloc(1, sizeof *p);
    hst_err err = {0};
    assert_false(hst_model_has_seen(s->m, 7));
    check_ok(hst_model_set_seen(s->m, pixels, 5, &err), &err);
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    check_ok(m == NULL, &err);
    assert_int_equal(m->n_seen, 3); /* once each, and 0 stands for no picture */
    for (int i = 0; i < 5; i++)
        assert_int_equal(hst_model_has_seen(m, pixels[i]), pixels[i] != 0);
    assert_false(hst_model_has_seen(m, 8));
    hst_model_free(m);
    for (size_t i = 0; i < sizeof lies / sizeof *lies + 2; i++) {
        take_apart(s, p);
        hst_tensor *t = &p->named[p->n++];
        *t = (hst_tensor){.name = "seen", .dtype = HST_I64, .n_dims = 1, .dim = {2}, .n_bytes = 16};
        t->data = lies[i % 4];
        if (i == 4)
            t->dtype = HST_F64;
        if (i == 5)
            t->dim[0] = (int64_t)(t->n_bytes = 0);
        refused_parts(s, p, "'seen'");
    }
    free(p);
    tear_down(s);
}

/* text with its first `from` replaced, to be freed. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    const size_t before = (size_t)(at - text), n = strlen(text) + strlen(to) + 1;
    char *out = malloc(n);
    snprintf(out, n, "%.*s%s%s", (int)before, text, to, at + strlen(from));
    return out;
}

/* Of a model with two views. */
static void lying_branches_are_refused(void **state)
{
    (void)state;
    static const char *const lies[][3] = {
        {"[{", "[3,{", "arch"},
        {"\"transform\":\"identity\"", "\"transform\":\"cube\"", "transform 'cube'"},
        {"\"transform\":\"identity\"", "\"transform\":3", "transform"},
        {"\"weights\":\"backbone/\"", "\"weights\":\"elsewhere/\"", "elsewhere/"},
        {"\"weights\":\"backbone/\"", "\"weight\":\"backbone/\"", "weights"},
        {"\"views\":[{", "\"views\":[[],{", "contract"},
        {"\"views\":", "\"view\":", "without views"},
        {"\"image_px\":32,\"mean\"", "\"image_px\":65536,\"mean\"", "image size"},
        {"\"contract\":\"pil\"", "\"contract\":\"pile\"", "contract"},
    };
    hst_err err = {0};
    scene *s = set_up();
    parts *p = calloc(1, sizeof *p);
    hst_prep mirrored = *prep_of(s->m);
    mirrored.mirror = 1;
    check_ok(hst_extractor_add_view(s->m->extractor, s->ctx, &mirrored, &err), &err);
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        take_apart(s, p);
        size_t k = 0;
        while (strcmp(p->meta[k].key, "branches") != 0)
            k++;
        char *lie = replaced(p->meta[k].value, lies[i][0], lies[i][1]);
        p->meta[k].value = lie;
        refused_parts(s, p, lies[i][2]);
        free(lie);
        take_apart(s, p);
        p->meta[k].value = i % 2 ? "[]" : "{}";
        refused_parts(s, p, "branches");
    }
    free(p);
    tear_down(s);
}

static void lying_tensors_are_refused(void **state)
{
    (void)state;
    static const char *const name[] = {"head/kernel", "head/bias", "backbone/Conv1/kernel",
                                       "backbone/bn_Conv1/moving_variance"};
    scene *s = set_up();
    parts *p = calloc(1, sizeof *p);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        float *data;
        take_apart(s, p);
        hst_tensor *t = &p->named[tensor_at(p, name[i])];
        t->name = "other";
        refused_parts(s, p, "");
        take_apart(s, p);
        t->n_dims = 5; /* the same numbers in another shape */
        t->dim[t->n_dims - 1] = 1;
        for (int k = 1; k < 4; k++)
            t->dim[k] = 1;
        t->dim[0] = (int64_t)(t->n_bytes / 4);
        refused_parts(s, p, "");
        take_apart(s, p);
        t->dtype = HST_I32;
        refused_parts(s, p, "");
        take_apart(s, p);
        data = malloc(t->n_bytes);
        memcpy(data, t->data, t->n_bytes);
        t->data = data;
        data[0] = NAN;
        refused_parts(s, p, "not a finite number");
        free(data);
    }
    take_apart(s, p);
    p->named[p->n++] = (hst_tensor){.name = "more",
                                    .dtype = HST_F32,
                                    .n_dims = 1,
                                    .dim = {1},
                                    .data = &s->m->bias[0],
                                    .n_bytes = 4};
    refused_parts(s, p, "tensors, expected");
    free(p);
    tear_down(s);
}

static hst_extractor *extractor(const scene *s)
{
    hst_err err = {0};
    hst_extractor *e = hst_extractor_of(s->ctx, s->b, NULL, &err);
    check_ok(e == NULL, &err);
    return e;
}

static void bad_labels_make_no_model(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"a", "a"},        {"a", ""},
                                         {"a", "\xff"},     {"a", "\xed\xa0\x80"},
                                         {"a", "\xc0\xaf"}, {"a", "\xe2\x82"}};
    scene *s = set_up();
    hst_err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err.code = 0;
        assert_null(hst_model_new(extractor(s), bad[i], 2, &err));
        assert_int_equal(err.code, HST_EARG);
    }
    assert_null(hst_model_new(extractor(s), labels, 0, &err));
    hst_extractor *e = extractor(s);
    e->branch[0].view[0].prep.resize = hst_size_square(40); /* of a photo that is squashed */
    assert_null(hst_model_new(e, labels, 3, &err));
    assert_int_equal(hst_model_set_record(s->m, "k", "\xff", &err), HST_EARG);
    check_ok(hst_model_set_record(s->m, "seed", "8", &err), &err);
    assert_string_equal(hst_model_record(s->m, "seed"), "8");
    tear_down(s);
}

/* Against sums in long double; large logits do not overflow. */
static void the_head_is_a_softmax(void **state)
{
    (void)state;
    enum { N = 70 };
    static const char *names[N];
    char text[N][16];
    scene *s = set_up();
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "c%d", i);
        names[i] = text[i];
    }
    hst_model *m = made_up_model(s->b, names, N);
    hst_rng r = hst_rng_new(3, HST_RNG_INIT, 0, 0);
    float *x = malloc((size_t)m->dim * sizeof *x), prob[N];
    for (int scale = 1; scale <= 1000; scale *= 1000) {
        long double z[N], top = -1e30L, sum = 0;
        for (int i = 0; i < m->dim; i++)
            x[i] = (float)hst_rng_uniform(&r) * (float)scale;
        for (int c = 0; c < N; c++) {
            z[c] = m->bias[c];
            for (int i = 0; i < m->dim; i++)
                z[c] += (long double)x[i] * m->kernel[i * N + c];
            top = z[c] > top ? z[c] : top;
        }
        for (int c = 0; c < N; c++)
            sum += expl(z[c] - top);
        hst_model_head(m, x, prob);
        for (int c = 0; c < N; c++) {
            float want = (float)(expl(z[c] - top) / sum);
            check_close(&prob[c], &want, 1, 1e-30, 2e-7, "probability");
        }
    }
    free(x);
    hst_model_free(m);
    tear_down(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(every_preparation_is_kept),
        cmocka_unit_test(both_sides_are_kept),
        cmocka_unit_test(the_precision_is_kept),
        cmocka_unit_test(the_ranges_are_kept),
        cmocka_unit_test(another_process_gives_the_same_bits),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(lying_metadata_is_refused),
        cmocka_unit_test(what_was_seen_is_kept),
        cmocka_unit_test(lying_branches_are_refused),
        cmocka_unit_test(lying_tensors_are_refused),
        cmocka_unit_test(bad_labels_make_no_model),
        cmocka_unit_test(the_head_is_a_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
