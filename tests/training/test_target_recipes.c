/* training: photos with several labels, and with a number, from files to a model. */
#include "made_up.h"
#include "support.h"

#include "training/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PHOTOS = 60, LABELS = 3, LOG = 1 << 12 };
static const char *const names[LABELS] = {"red", "blue", "never"};
static const char *const green[] = {"green"};

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    char *dir, log[LOG];
    char path[PHOTOS][128];
    const char *paths[PHOTOS];
    uint8_t marks[PHOTOS][LABELS];
    double number[PHOTOS];
} scene;

static void keep_log(void *arg, int level, const char *line)
{
    char *log = arg;
    (void)level;
    snprintf(log + strlen(log), LOG - strlen(log), "%s\n", line);
}

/* An uncompressed BMP of one colour with some noise. */
static void write_photo(const char *path, const int rgb[3], uint32_t seed)
{
    enum { SIDE = 32, HEAD = 54, BYTES = HEAD + SIDE * SIDE * 3 };
    uint8_t b[BYTES] = {'B', 'M', BYTES & 255, BYTES >> 8, 0, 0, 0, 0, 0, 0, HEAD, 0, 0, 0, 40};
    b[18] = b[22] = SIDE;
    b[26] = 1;
    b[28] = 24;
    for (uint32_t i = 0; i < SIDE * SIDE * 3; i++)
        b[HEAD + i] = (uint8_t)(rgb[2 - i % 3] + 4 * made_up_noise(seed, i));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b, 1, BYTES, f), BYTES);
    assert_int_equal(fclose(f), 0);
}

static scene *set_up(int threads)
{
    hst_err e = {0};
    scene *s = calloc(1, sizeof *s);
    hst_config cfg = hst_config_default();
    cfg.threads = threads;
    cfg.offline = 1;
    cfg.log = keep_log;
    cfg.log_arg = s->log;
    s->ctx = hst_open(&cfg, &e);
    assert_non_null(s->ctx);
    s->b = made_up_backbone(s->ctx, 1);
    s->dir = temporary_folder();
    for (int i = 0; i < PHOTOS; i++) {
        const int rgb[3] = {i % 2 ? 220 : 40, 30 + 37 * i % 200, i % 3 ? 40 : 220};
        snprintf(s->path[i], sizeof s->path[i], "%s/%d.bmp", s->dir, i);
        write_photo(s->path[i], rgb, (uint32_t)i);
        s->paths[i] = s->path[i];
        s->marks[i][0] = rgb[0] > 100;
        s->marks[i][1] = rgb[2] > 100;
        s->number[i] = rgb[1];
    }
    return s;
}

static void tear_down(scene *s)
{
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
    free(s);
}

static hst_data *labelled(const scene *s, int number, size_t n)
{
    hst_err e = {0};
    hst_labelled l = hst_labelled_default();
    l.paths = s->paths;
    l.n = n;
    l.names = number ? green : names;
    l.n_names = number ? 1 : LABELS;
    l.marks = number ? NULL : s->marks[0];
    l.numbers = number ? s->number : NULL;
    hst_data *d = hst_data_from_labelled(&l, NULL, &e);
    check_ok(d == NULL, &e);
    return d;
}

static hst_model *train(const scene *s, const hst_data *d, hst_run **run)
{
    hst_err e = {0};
    hst_model *m = hst_train(s->ctx, s->b, d, NULL, run, &e);
    check_ok(m == NULL, &e);
    return m;
}

static double measure(const hst_eval *e, const char *name)
{
    hst_err err = {0};
    double v;
    check_ok(hst_eval_metric(e, name, &v, NULL, NULL, &err), &err);
    return v;
}

static void several_labels(void **state)
{
    (void)state;
    scene *s = set_up(2);
    hst_err err = {0};
    hst_run *run = NULL;
    hst_data *d = labelled(s, 0, PHOTOS);
    hst_model *m = train(s, d, &run);
    assert_int_equal(hst_model_target(m), HST_TARGET_LABELS);
    assert_non_null(strstr(s->log, "no photo to learn from has label never"));
    assert_int_equal(hst_run_trained(run), PHOTOS);
    assert_int_equal((int)measure(hst_run_eval(run), "n"), PHOTOS);
    assert_true(measure(hst_run_eval(run), "map") > 0.95);
    assert_true(measure(hst_run_holdout(run), "map") > 0.9);
    assert_string_equal(hst_model_record(m, "final"), "all");
    assert_non_null(hst_model_record(m, "oof_map"));
    assert_non_null(hst_model_record(m, "val_map"));
    assert_null(hst_model_record(m, "oof_accuracy"));
    assert_false(hst_model_tells_unknown(m));
    assert_null(hst_run_curve(run));

    hst_session *session = hst_session_open(s->ctx, m, &err);
    check_ok(session == NULL, &err);
    float prob[LABELS];
    for (int i = 0; i < PHOTOS; i++) {
        check_ok(hst_predict_file(session, s->paths[i], prob, LABELS, &err), &err);
        for (int c = 0; c < LABELS; c++)
            assert_int_equal(prob[c] >= (float)hst_model_threshold(m, c), s->marks[i][c]);
    }
    hst_session_free(session);

    hst_eval *e = hst_evaluate(s->ctx, m, d, &err); /* knows all of them */
    check_ok(e == NULL, &err);
    assert_int_equal((int)measure(e, "seen"), PHOTOS);
    assert_true(measure(e, "seen_accuracy") == 1);
    hst_eval_free(e);
    hst_run_free(run);
    hst_model_free(m);
    hst_data_free(d);
    tear_down(s);
}

static void a_number(void **state)
{
    (void)state;
    scene *s = set_up(2);
    hst_err err = {0};
    hst_run *run = NULL;
    hst_data *d = labelled(s, 1, PHOTOS);
    hst_model *m = train(s, d, &run);
    double least, most, low, high;
    float said;
    assert_int_equal(hst_model_target(m), HST_TARGET_NUMBER);
    assert_true(measure(hst_run_eval(run), "r2") > 0.4);
    assert_true(hst_model_range(m, &least, &most) && least == 30 && most == 229);
    assert_true(hst_model_interval(m, 0.95, 100, &low, &high) && low < 100 && high > 100);
    assert_true(measure(hst_run_eval(run), "coverage_95") >= 0.95); /* it was made from these */
    assert_non_null(hst_model_record(m, "oof_mae"));
    hst_session *session = hst_session_open(s->ctx, m, &err);
    check_ok(session == NULL, &err);
    check_ok(hst_predict_file(session, s->paths[3], &said, 1, &err), &err);
    assert_true(fabs((double)said - s->number[3]) < 60);
    hst_session_free(session);
    hst_run_free(run);
    hst_model_free(m);
    hst_data_free(d);
    tear_down(s);
}

/* On any number of threads. */
static void the_same_bytes(void **state)
{
    (void)state;
    for (int number = 0; number < 2; number++) {
        char sha256[2][65];
        for (int k = 0; k < 2; k++) {
            scene *s = set_up(1 + 2 * k);
            hst_data *d = labelled(s, number, PHOTOS);
            hst_model *m = train(s, d, NULL);
            snprintf(sha256[k], sizeof sha256[k], "%s", hst_model_record(m, "content_sha256"));
            hst_model_free(m);
            hst_data_free(d);
            tear_down(s);
        }
        assert_string_equal(sha256[0], sha256[1]);
    }
}

static void refused(const scene *s, const hst_data *d, const hst_train_opts *o, const char *words)
{
    hst_err e = {0};
    assert_null(hst_train(s->ctx, s->b, d, o, NULL, &e));
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not say '%s'", e.msg, words);
}

static void what_is_for_classes_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *words;
    } no[] = {{"recipe", "fine-tune", "recipe fine-tune"},
              {"class-weight", "balanced", "class-weight"},
              {"prior", "balanced", "prior"},
              {"robust", "drop", "robust"},
              {"augmented", "1", "augmented"},
              {"effort", "1", "effort"},
              {"learning-curve", "1", "learning-curve"}};
    scene *s = set_up(1);
    for (int number = 0; number < 2; number++) {
        hst_data *d = labelled(s, number, PHOTOS);
        for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
            hst_err e = {0};
            hst_train_opts o = hst_train_opts_default();
            check_ok(hst_train_opts_set(&o, no[i].name, no[i].text, &e), &e);
            refused(s, d, &o, no[i].words);
        }
        hst_data_free(d);
    }
    tear_down(s);
}

/* One or two photos, and nothing that differs between them. */
static void too_little_is_refused(void **state)
{
    (void)state;
    scene *s = set_up(1);
    for (int i = 0; i < PHOTOS; i++) {
        s->number[i] = 7;
        s->marks[i][0] = 1;
        s->marks[i][1] = 0;
    }
    for (int number = 0; number < 2; number++)
        for (size_t n = 1; n <= 2; n++) {
            hst_data *d = labelled(s, number, n);
            refused(s, d, NULL, "nothing to learn");
            hst_data_free(d);
        }
    tear_down(s);
}

static void few_photos(void **state)
{
    (void)state;
    scene *s = set_up(1);
    for (int number = 0; number < 2; number++)
        for (size_t n = 2; n <= 7; n++) {
            hst_data *d = labelled(s, number, n);
            hst_model *m = train(s, d, NULL);
            double low, high;
            assert_false(number && hst_model_interval(m, 0.95, 1, &low, &high));
            hst_model_free(m);
            hst_data_free(d);
        }
    tear_down(s);
}

/* Of one class each, of labels, or of a number: each model wants photos of its own. */
static void targets_do_not_mix(void **state)
{
    (void)state;
    scene *s = set_up(1);
    hst_err e = {0};
    hst_data *labels = labelled(s, 0, PHOTOS), *number = labelled(s, 1, PHOTOS);
    hst_model *m = train(s, labels, NULL);
    assert_null(hst_evaluate(s->ctx, m, number, &e));
    assert_int_equal(e.code, HST_EDATA);
    assert_non_null(strstr(e.msg, "a number each"));
    hst_model_free(m);
    m = train(s, number, NULL);
    assert_null(hst_evaluate(s->ctx, m, labels, &e));
    assert_non_null(strstr(e.msg, "says a number"));
    hst_model_free(m);
    hst_data_free(labels);
    hst_data_free(number);
    tear_down(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_labels),    cmocka_unit_test(a_number),
        cmocka_unit_test(the_same_bytes),    cmocka_unit_test(what_is_for_classes_is_refused),
        cmocka_unit_test(few_photos),        cmocka_unit_test(too_little_is_refused),
        cmocka_unit_test(targets_do_not_mix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
