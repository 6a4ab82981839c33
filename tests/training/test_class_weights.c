/* training: weights of classes, their texts and what they come to. */
#include "support.h"

#include "base/file.h"
#include "training/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 3 };
static const char *labels[CLASSES] = {"a", "b", "d"};
static const hst_data data = {.classes = labels, .n_classes = CLASSES};
static int label[] = {0, 2, 0, 1, 0, 2, 0, 0}; /* 5, 1, 2 */
static const hst_examples examples = {.label = label, .n = 8};

static void check(const char *text, double a, double b, double d)
{
    hst_err e = {0};
    hst_class_weights w;
    double weight[CLASSES], sum;
    check_ok(hst_class_weights_read(text, &data, &w, &e), &e);
    hst_weigh_classes(&w, &examples, CLASSES, weight);
    assert_true(fabs(weight[0] - a) < 1e-12 && fabs(weight[1] - b) < 1e-12 &&
                fabs(weight[2] - d) < 1e-12);
    sum = 5 * weight[0] + weight[1] + 2 * weight[2];
    assert_true(fabs(sum - 8) < 1e-12); /* 1 in the mean */
    hst_class_weights_clear(&w);
}

static void weights_follow_their_definition(void **state)
{
    (void)state;
    check("none", 1, 1, 1);
    check("power:0", 1, 1, 1);
    check("balanced", 8.0 / 15, 8.0 / 3, 8.0 / 6); /* n / (k n_c), as scikit-learn has it */
    check("power:1", 8.0 / 15, 8.0 / 3, 8.0 / 6);
    const double scale = 8 / (sqrt(5) + 1 + sqrt(2)); /* of n_c times n_c^-0.5 */
    check("power:0.5", scale / sqrt(5), scale, scale / sqrt(2));
}

static void a_file_gives_weights(void **state)
{
    (void)state;
    static const char text[] = "label,weight\nd,2\na,1\nb,4\n";
    hst_err e = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "weights.csv", &e);
    check_ok(hst_file_write(path, text, sizeof text - 1, &e), &e);
    const double scale = 8.0 / (5 + 4 + 2 * 2);
    check(path, scale, 4 * scale, 2 * scale);
    remove_tree(dir);
    free(path);
    free(dir);
}

static void wrong_texts_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } wrong[] = {{"power:", "wants a number from 0 to 4"},
                 {"power:-1", "not '-1'"},
                 {"power:5", "not '5'"},
                 {"power:1x", "not '1x'"},
                 {"none-such", "class weights are none, balanced, power:X or a file"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hst_err e = {0};
        hst_class_weights w;
        assert_int_equal(hst_class_weights_read(wrong[i].text, &data, &w, &e), HST_EARG);
        if (!strstr(e.msg, wrong[i].words))
            fail_msg("'%s' does not say '%s'", e.msg, wrong[i].words);
    }
    hst_train_opts o = hst_train_opts_default();
    hst_err e = {0};
    o.class_weight = "power:x";
    assert_int_equal(hst_train_opts_check(&o, &e), HST_EARG); /* before any photo is read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_follow_their_definition),
        cmocka_unit_test(a_file_gives_weights),
        cmocka_unit_test(wrong_texts_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
