/* training: priors, what their files may hold and what they do to a head. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "base/mem.h"
#include "training/prior.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CLASSES = 3 };
static const char *labels[CLASSES] = {"a", "b, \"c\"", "d"};
static const hst_data data = {.classes = labels, .n_classes = CLASSES};

/* Of a file with that text. */
static int read_text(const char *text, double **prior, hst_err *e)
{
    hst_err why = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "prior.csv", &why);
    check_ok(hst_file_write(path, text, strlen(text), &why), &why);
    int rc = hst_prior_read(path, &data, prior, e);
    remove_tree(dir);
    free(path);
    free(dir);
    return rc;
}

static void words_and_files_are_read(void **state)
{
    (void)state;
    static const char windows[] = "\xef\xbb\xbflabel,share\r\nd,0.625\r\n\r\na,.125\r\n"
                                  "\"b, \"\"c\"\"\",2.5e-1";
    static const char *const texts[] = {"a,1\n\"b, \"\"c\"\"\",2\nd,5\n", windows,
                                        "\"b, \"\"c\"\"\",20\n\"d\",50  \n\"a\",10"};
    hst_err e = {0};
    double *prior = (double *)&data;
    check_ok(hst_prior_read("as-trained", &data, &prior, &e), &e);
    assert_null(prior);
    check_ok(hst_prior_read("balanced", &data, &prior, &e), &e);
    for (int c = 0; c < CLASSES; c++)
        assert_true(prior[c] == 1.0 / 3);
    free(prior);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_ok(read_text(texts[i], &prior, &e), &e);
        assert_true(fabs(prior[0] - .125) < 1e-15 && fabs(prior[1] - .25) < 1e-15 &&
                    fabs(prior[2] - .625) < 1e-15);
        free(prior);
    }
}

static void wrong_files_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"a,1\nc,1\n", "line 2: there is no class 'c'"},
        {"a,1\nd,1\n", "has no line for class b, \"c\""},
        {"", "has no line for class a"},
        {"label,share\na,-1\n", "line 2: the share of a is '-1'; expected a number above 0"},
        {"a,0\n", "line 1: the share of a is '0'"},
        {"a,1\nd,x\n", "line 2: the share of d is 'x'"},
        {"a,1\nd,1e999\n", "line 2: the share of d is '1e999'"},
        {"a,1\nd,1e10\n", "line 2: the share of d is '1e10'"},
        {"a,1\nd\n", "line 2: expected label,share"},
        {"a,1\n\"d,1\n", "line 2: expected label,share"},
        {"a,1\n\"d\"x,1\n", "line 2: expected label,share"},
        {"a,1\nd,1,1\n", "line 2: the share of d is '1,1'"},
        {"a,1\nd,2\na,3\n", "line 3: class a is there twice"}};
    double *prior = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hst_err e = {0};
        assert_int_equal(read_text(wrong[i].text, &prior, &e), HST_EARG);
        if (!strstr(e.msg, wrong[i].words))
            fail_msg("'%s' is not told in: %s", wrong[i].words, e.msg);
        assert_null(prior);
    }
    hst_err e = {0};
    assert_int_equal(hst_prior_read("none-such", &data, &prior, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "balanced, as-trained or a file"));
    assert_non_null(strstr(e.msg, "'none-such'"));
}

static void shares_are_those_learned_from(void **state)
{
    (void)state;
    int label[] = {0, 2, 0, 1, 0, 2, 0, 0};
    const hst_examples e = {.label = label, .n = 8};
    const hst_class_weights none = {HST_UNWEIGHTED, 0, NULL}, half = {HST_WEIGHT_POWER, .5, NULL},
                            balanced = {HST_WEIGHT_POWER, 1, NULL};
    double share[CLASSES];
    hst_prior_shares(&e, CLASSES, &none, share);
    assert_true(share[0] == .625 && share[1] == .125 && share[2] == .25);
    hst_prior_shares(&e, CLASSES, &balanced, share);
    assert_true(share[0] == 1.0 / 3 && share[1] == share[0] && share[2] == share[0]);
    hst_prior_shares(&e, CLASSES, &half, share); /* as the square roots of the counts 5, 1, 2 */
    const double sum = sqrt(5) + 1 + sqrt(2);
    assert_true(fabs(share[0] - sqrt(5) / sum) < 1e-15 && fabs(share[1] - 1 / sum) < 1e-15);
}

/* The shift of the bias against probabilities divided by the shares, times the prior, over their
 * sum. */
static void the_bias_does_what_the_formula_says(void **state)
{
    (void)state;
    const double share[CLASSES] = {.9, .09, .01}, prior[CLASSES] = {.2, .3, .5};
    const double z[][CLASSES] = {{0, 0, 0}, {3, -1, .5}, {-20, 4, 1}, {8, 1, -2}};
    for (size_t i = 0; i < sizeof z / sizeof *z; i++) {
        float bias[CLASSES] = {.25f, -1, .5f};
        double before[CLASSES], after[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++)
            before[c] = exp(z[i][c] + (double)bias[c]) * prior[c] / share[c];
        for (int c = 0; c < CLASSES; c++)
            sum += before[c];
        hst_prior_shift(prior, share, CLASSES, bias);
        double whole = 0;
        for (int c = 0; c < CLASSES; c++)
            whole += after[c] = exp(z[i][c] + (double)bias[c]);
        for (int c = 0; c < CLASSES; c++)
            assert_true(fabs(after[c] / whole - before[c] / sum) < 1e-6); /* a float bias */
    }
}

/* ---- in training ---- */

/* 12 photos of a, 4 of b. */
static hst_data *open_photos(hst_ctx *ctx, const char *dir)
{
    hst_err e = {0};
    for (int i = 0; i < 16; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%c", dir, i < 12 ? 'a' : 'b');
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%c/%d.png", dir, i < 12 ? 'a' : 'b', i);
        made_up_png(path, i < 12 ? 20 : 24, 25, (uint64_t)i);
    }
    hst_data *d = hst_data_open(ctx, dir, NULL, &e);
    check_ok(d ? 0 : e.code, &e);
    return d;
}

static void check_heads(const hst_model *plain, const hst_model *moved, double a, double b)
{
    assert_memory_equal(plain->kernel, moved->kernel,
                        (size_t)plain->dim * 2 * sizeof *plain->kernel);
    assert_true(fabs((double)(moved->bias[0] - plain->bias[0]) - log(a)) < 1e-5);
    assert_true(fabs((double)(moved->bias[1] - plain->bias[1]) - log(b)) < 1e-5);
}

/* With every recipe that has it, the head is the plain one but for its bias. */
static void check_recipe(const char *recipe)
{
    hst_err e = {0};
    hst_ctx *ctx = made_up_ctx(1);
    char *dir = temporary_folder();
    hst_backbone *backbone = made_up_backbone(ctx, 1);
    hst_data *d = open_photos(ctx, dir);
    hst_train_opts o = hst_train_opts_default();
    o.recipe = recipe;
    o.epochs = strcmp(recipe, "auto") == 0 ? 0 : 1;
    hst_run *run;
    hst_model *plain = hst_train(ctx, backbone, d, &o, &run, &e);
    check_ok(plain ? 0 : e.code, &e);
    double n = 0, in_a = 0;
    for (size_t i = 0; i < 16; i++)
        if (hst_run_side(run, i) == HST_TRAIN || hst_run_trained(run) == 16) {
            n++;
            in_a += hst_data_label(d, i) == 0;
        }
    o.prior = "balanced";
    hst_model *balanced = hst_train(ctx, backbone, d, &o, NULL, &e);
    check_ok(balanced ? 0 : e.code, &e);
    check_heads(plain, balanced, .5 / (in_a / n), .5 / (1 - in_a / n));
    assert_string_equal(hst_model_record(balanced, "prior"), "balanced");
    assert_null(hst_model_record(plain, "prior"));
    char *path = hst_path_join(dir, "prior.csv", &e);
    check_ok(hst_file_write(path, "a,1\nb,3\n", 8, &e), &e);
    o.prior = path;
    o.class_weight = "balanced";
    hst_model *weighted = hst_train(ctx, backbone, d, &o, NULL, &e);
    check_ok(weighted ? 0 : e.code, &e);
    assert_string_equal(hst_model_record(weighted, "prior"), "0.25,0.75");
    o.prior = NULL;
    hst_model *as_trained = hst_train(ctx, backbone, d, &o, NULL, &e);
    check_ok(as_trained ? 0 : e.code, &e);
    check_heads(as_trained, weighted, .5, 1.5);
    hst_model *const all[] = {plain, balanced, weighted, as_trained};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        hst_model_free(all[i]);
    hst_run_free(run);
    hst_data_free(d);
    hst_backbone_free(backbone);
    hst_close(ctx);
    remove_tree(dir);
    free(path);
    free(dir);
}

static void only_the_bias_differs(void **state)
{
    (void)state;
    check_recipe("auto");
    check_recipe("fine-tune");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_files_are_read),
        cmocka_unit_test(wrong_files_are_told),
        cmocka_unit_test(shares_are_those_learned_from),
        cmocka_unit_test(the_bias_does_what_the_formula_says),
        cmocka_unit_test(only_the_bias_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
