/* What exports are made of: the wire format, programs, texts, and a check that finds what is wrong.
 */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "exports/export.h"
#include "exports/protobuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- protobuf ---- */

static void fields_have_their_bytes(void **state)
{
    (void)state;
    static const uint8_t want[] = {0x08, 0xac, 0x02,                         /* 1: 300 */
                                   0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 2: -1 */
                                   0xff, 0xff, 0xff, 0x01,                   /* */
                                   0x1d, 0x00, 0x00, 0x80, 0x3f,             /* 3: 1.0f */
                                   0x82, 0x01, 0x02, 'h',  'i',              /* 16: "hi" */
                                   0x22, 0x03, 0x01, 0xac, 0x02,             /* 4: [1, 300] */
                                   0x2a, 0x02, 0x08, 0x00,                   /* 5: {1: 0} */
                                   0x32, 0x00};                              /* 6: {} */
    hst_buf b = HST_BUF(1000), inner = HST_BUF(1000);
    hst_pb_int(&b, 1, 300);
    hst_pb_int(&b, 2, -1);
    hst_pb_float(&b, 3, 1);
    hst_pb_text(&b, 16, "hi");
    hst_pb_ints(&b, 4, (int64_t[]){1, 300}, 2);
    hst_pb_int(&inner, 1, 0);
    hst_pb_message(&b, 5, &inner);
    hst_pb_message(&b, 6, &inner); /* it is empty again */
    assert_int_equal(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    hst_buf_free(&b);
}

static void what_is_too_long_is_told(void **state)
{
    (void)state;
    hst_buf b = HST_BUF(1000), inner = HST_BUF(4);
    hst_err err = {0};
    hst_pb_text(&inner, 1, "longer than four");
    hst_pb_message(&b, 1, &inner);
    assert_int_equal(hst_buf_check(&b, &err), HST_EMEM);
    hst_buf_free(&b);
}

/* ---- a model ---- */

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *backbone;
    hst_model *model;
    hst_program program;
    hst_about about;
    hst_exporting x;
} scene;

static scene scene_make(const hst_ends *ends)
{
    static const char *const labels[] = {"a", "it's", "line\nbreak \\ \"quoted\"", "\xc3\xa4"};
    hst_err err = {0};
    scene s = {.ctx = made_up_ctx(1)};
    s.backbone = made_up_backbone(s.ctx, 1);
    s.model = made_up_model(s.backbone, labels, 4);
    check_ok(hst_export_program(s.model, ends, &s.program, &err), &err);
    check_ok(hst_about_make(s.model, ends, &s.about, &err), &err);
    s.x = (hst_exporting){.ctx = s.ctx, .model = s.model, .ends = *ends, .tolerance = 1e-4};
    return s;
}

/* What x points to is in s, wherever that lies. */
static const hst_exporting *exporting(scene *s)
{
    s->x.program = &s->program;
    s->x.about = &s->about;
    return &s->x;
}

static void scene_free(scene *s)
{
    hst_about_free(&s->about);
    hst_program_free(&s->program);
    hst_model_free(s->model);
    hst_backbone_free(s->backbone);
    hst_close(s->ctx);
}

static int count(const hst_program *p, enum hst_do what)
{
    int n = 0;
    for (int i = 0; i < p->n; i++)
        n += p->step[i].what == what;
    return n;
}

static int nodes_named(const hst_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        n += strcmp(hst_graph_op_name(g, i), op) == 0;
    return n;
}

/* 52 convolutions, their norms and activations inside. */
static void norms_and_activations_are_drawn_in(void **state)
{
    (void)state;
    scene s = scene_make(&(hst_ends){.uint8 = 1});
    const hst_program *p = &s.program;
    size_t want = 2 * 3 + (size_t)(s.model->dim + 1) * 4; /* scaling of pixels, head */
    const hst_graph *g = s.backbone->graph;
    for (size_t i = 0; i < hst_graph_n_params(g); i++)
        want += strstr(hst_graph_param(g, i)->name, "kernel") ||
                        strstr(hst_graph_param(g, i)->name, "/beta")
                    ? hst_param_count(hst_graph_param(g, i))
                    : 0;
    assert_int_equal(count(p, HST_DO_CONV), 35);
    assert_int_equal(count(p, HST_DO_DEPTHWISE), 17);
    assert_int_equal(count(p, HST_DO_ADD), nodes_named(g, "add"));
    assert_int_equal(count(p, HST_DO_AFFINE), 1); /* the pixels' */
    assert_int_equal(count(p, HST_DO_ACTIVATE), 0);
    assert_int_equal(p->step[p->n - 1].what, HST_DO_SOFTMAX);
    assert_int_equal(hst_program_params(p), want);
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->step[i].n_inputs; k++)
            assert_in_range(p->step[i].input[k], 0, i - 1);
    scene_free(&s);
}

static void texts_hold_any_label(void **state)
{
    (void)state;
    scene s = scene_make(&(hst_ends){.uint8 = 1});
    assert_string_equal(s.about.lines, "a\nit's\nline break \\ \"quoted\"\n\xc3\xa4\n");
    assert_string_equal(s.about.names, "{0: 'a', 1: 'it\\'s', 2: 'line\\x0abreak \\\\ \"quoted\"', "
                                       "3: '\xc3\xa4'}");
    assert_string_equal(s.about.labels,
                        "[\"a\",\"it's\",\"line\\nbreak \\\\ \\\"quoted\\\"\",\"\xc3\xa4\"]");
    assert_non_null(strstr(s.about.preprocess, "\"dtype\":\"uint8\""));
    scene_free(&s);
}

/* ---- the check ---- */

static float wrong_by;

static int answer(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    const hst_branch *b = hst_model_plain(x->model);
    const hst_answering of = {b->backbone->graph, b->view[0].prep.norm, x->model};
    check_ok(hst_export_answers(x, &of, p, p->found, err), err);
    p->found[p->n * p->classes - 1] += wrong_by;
    strcpy(how, "by a test");
    return 1;
}

static const hst_exporter made_up_format = {.name = "test", .tolerance = 1e-4, .ask = answer};

static void wrong_answers_are_found(void **state)
{
    (void)state;
    static const struct {
        float by;
        int rc;
    } cases[] = {{0, 0}, {9e-5f, 0}, {2e-4f, HST_EMODEL}, {NAN, HST_EMODEL}, {-1, HST_EMODEL}};
    scene s = scene_make(&(hst_ends){.uint8 = 1});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err err = {0};
        hst_exported out = {.size = sizeof out};
        wrong_by = cases[i].by;
        hst_expected *e = hst_export_expect(exporting(&s), NULL, &err);
        assert_non_null(e);
        assert_int_equal(hst_export_check(exporting(&s), &made_up_format, e, 0, &out, &err),
                         cases[i].rc);
        hst_expected_free(e);
        assert_int_equal(out.pictures, 16);
        assert_string_equal(out.checked, "by a test");
    }
    scene_free(&s);
}

/* ---- what can be asked for ---- */

static int export_as(const scene *s, const char *path, const char *format, hst_export_opts o,
                     hst_exported *out, hst_err *err)
{
    o.format = format;
    return hst_export(s->ctx, s->model, path, &o, out, err);
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *format, *input, *layout, *output;
        int batch;
        const char *word, *weights;
    } cases[] = {
        {"onxx", .word = "there are c, hf, keras, onnx, savedmodel, tfjs, tflite, timm, torch"},
        {NULL, .word = "no format"},
        {"onnx", .input = "int8", .word = "unknown input 'int8'"},
        {"onnx", .layout = "chw", .word = "unknown layout"},
        {"onnx", .output = "labels", .word = "unknown output"},
        {"onnx", .batch = -1, .word = "-1 pictures"},
        {"c", .batch = 2, .word = "one picture at a time"},
        {"c", .input = "float", .word = "no other input than uint8"},
        {"c", .layout = "nchw", .word = "no other layout than nhwc"},
        {"tflite", .layout = "nchw", .word = "no other layout than nhwc"},
        {"tflite", .weights = "int4", .word = "unknown weights 'int4'"},
        {"tflite", .input = "int8", .word = "weights in int8, and data"},
        {"onnx", .weights = "float16", .word = "no weights in float16"}};
    scene s = scene_make(&(hst_ends){.uint8 = 1});
    char *dir = temporary_folder();
    hst_err err = {0};
    char *path = hst_path_join(dir, "out", &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_export_opts o = hst_export_opts_default();
        o.input = cases[i].input;
        o.layout = cases[i].layout;
        o.output = cases[i].output;
        o.batch = cases[i].batch;
        o.weights = cases[i].weights;
        assert_int_equal(export_as(&s, path, cases[i].format, o, NULL, &err), HST_EARG);
        assert_non_null(strstr(err.msg, cases[i].word));
    }
    hst_exported out = {.size = 3};
    assert_int_equal(export_as(&s, path, "onnx", hst_export_opts_default(), &out, &err), HST_EARG);
    assert_int_equal(export_as(&s, dir, "onnx", hst_export_opts_default(), NULL, &err), HST_EIO);
    assert_int_equal(export_as(&s, "", "onnx", hst_export_opts_default(), NULL, &err), HST_EARG);
    assert_false(hst_is_file(path) || hst_is_dir(path));
    free(path);
    remove_tree(dir);
    free(dir);
    scene_free(&s);
}

/* The same bytes whatever the threads; a folder that is not empty stays as it is. */
static void bytes_are_the_models(void **state)
{
    (void)state;
    scene s = scene_make(&(hst_ends){.uint8 = 1});
    hst_ctx *more = made_up_ctx(3);
    char *dir = temporary_folder();
    hst_err err = {0};
    uint8_t *bytes[2];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        char *path = hst_path_join(dir, i ? "b.onnx" : "a.onnx", &err);
        hst_export_opts o = hst_export_opts_default();
        hst_exported out = {.size = sizeof out};
        o.format = "onnx";
        check_ok(hst_export(i ? more : s.ctx, s.model, path, &o, &out, &err), &err);
        check_ok(hst_file_read(path, 1 << 24, HST_EIO, &bytes[i], &n[i], &err), &err);
        assert_int_equal(out.bytes, n[i]);
        free(path);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    assert_int_equal(export_as(&s, dir, "c", hst_export_opts_default(), NULL, &err), HST_EIO);
    assert_non_null(strstr(err.msg, "not empty"));
    free(bytes[0]);
    free(bytes[1]);
    remove_tree(dir);
    free(dir);
    hst_close(more);
    scene_free(&s);
}

/* ---- C ---- */

/* Writes the file again with `with` in the place of the first `what`. */
static void change(const char *path, const uint8_t *text, const char *what, const char *with)
{
    hst_err err = {0};
    hst_buf b = HST_BUF(1 << 24);
    const char *at = strstr((const char *)text, what);
    assert_non_null(at);
    hst_buf_add(&b, text, (size_t)(at - (const char *)text));
    hst_buf_puts(&b, with);
    hst_buf_puts(&b, at + strlen(what));
    check_ok(hst_buf_check(&b, &err), &err);
    check_ok(hst_file_write(path, b.p, b.n, &err), &err);
    hst_buf_free(&b);
}

/* Weights are read from the file that is kept, and its code is what runs. */
static void what_is_wrong_in_c_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *what, *with, *word;
    } cases[] = {{"{{\n\"", "{{\n\"?", "no strings"},
                 {"{{\n\"", "{{\n\"\\400", "no strings"},
                 {"{{\n\"", "{{\n\"@\177", "no strings"},
                 {"{{\n\"", "{{\n/**/\"", "no strings"},
                 {"{{\n\"", "{{\n\"\\177\\177\\177\\177\"};\"", "no strings"},
                 {"\"}};", "\"} };", "no end of its weights"},
                 {"static const union", "static union", "no weights"},
                 {"float *const A = arena.f;", "float *const A = arena.f; return;", "otherwise"},
                 {"\n} weights = {{", "\n    char more[1 << 24];\n} weights = {{", "does not run"}};
    scene s = scene_make(&(hst_ends){.uint8 = 1, .batch = 1});
    hst_exporting x = *exporting(&s);
    hst_err err = {0};
    uint8_t *text;
    size_t n;
    char *dir = temporary_folder(), *path = hst_path_join(dir, "model.c", &err);
    hst_exported out = {.size = sizeof out};
    x.path = x.work = dir;
    check_ok(hst_exporter_c.write(&x, &err), &err);
    check_ok(hst_file_read(path, 1 << 24, HST_EIO, &text, &n, &err), &err);
    hst_expected *e = hst_export_expect(&x, NULL, &err);
    assert_non_null(e);
    check_ok(hst_export_check(&x, &hst_exporter_c, e, 1, &out, &err), &err);
    const int compiled = out.checked[0] != 0;
    if (compiled)
        assert_non_null(strstr(out.runtime, "all of it compiled"));
    assert_true(!compiled || (out.difference < 1e-5 && out.runtime_difference < 1e-5));
    for (size_t i = 0; compiled && i < sizeof cases / sizeof *cases; i++) {
        change(path, text, cases[i].what, cases[i].with);
        assert_int_equal(hst_export_check(&x, &hst_exporter_c, e, 0, &out, &err), HST_EMODEL);
        assert_non_null(strstr(err.msg, cases[i].word));
    }
    hst_expected_free(e);
    free(text);
    free(path);
    remove_tree(dir);
    free(dir);
    scene_free(&s);
    if (!compiled)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_bytes),
        cmocka_unit_test(what_is_too_long_is_told),
        cmocka_unit_test(norms_and_activations_are_drawn_in),
        cmocka_unit_test(texts_hold_any_label),
        cmocka_unit_test(wrong_answers_are_found),
        cmocka_unit_test(wrong_words_are_refused),
        cmocka_unit_test(bytes_are_the_models),
        cmocka_unit_test(what_is_wrong_in_c_is_found),
    };
    return cmocka_run_group_tests_name("exports", tests, NULL, NULL);
}
