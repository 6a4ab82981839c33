/* The table of layers against the text tf_keras prints for the tutorial's model. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static const char *const labels[5] = {"daisy", "dandelion", "roses", "sunflowers", "tulips"};

/* Of width 1: 2,257,984 parameters, whatever their values. */
static void the_tutorials_table_equals_keras(void **state)
{
    (void)state;
    hst_err err = {0};
    char text[2048];
    uint8_t *want;
    size_t n;
    hst_ctx *ctx = made_up_ctx(1);
    made_up tensors = made_up_tensors(1.0, 1);
    char *dir = made_up_folder(&tensors, "{\"model_type\": \"mobilenet_v2\"}");
    hst_backbone *b = hst_backbone_open(ctx, dir, &err);
    check_ok(b == NULL, &err);
    hst_model *m = made_up_model(b, labels, 5);
    check_ok(hst_model_set_record(m, "dropout", "0.2", &err), &err);
    char *path = hst_path_join(getenv("HEADSTART_ROOT"),
                               "tests/golden/text/tf_keras_summary_feature.txt", &err);
    check_ok(hst_file_read(path, 1 << 16, HST_EIO, &want, &n, &err), &err);
    assert_int_equal(hst_model_summary(m, text, sizeof text), n);
    assert_string_equal(text, (const char *)want);
    free(path);
    free(want);
    hst_model_free(m);
    hst_backbone_free(b);
    made_up_free(&tensors);
    remove_tree(dir);
    free(dir);
    hst_close(ctx);
}

static void a_short_buffer_is_not_overrun(void **state)
{
    (void)state;
    char text[2048], cut[16] = "";
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(ctx, 1);
    hst_model *m = made_up_model(b, labels, 2);
    size_t n = hst_model_summary(m, text, sizeof text);
    assert_int_equal(n, strlen(text));
    assert_null(strstr(text, "dropout")); /* this head was trained without */
    assert_int_equal(hst_model_summary(m, NULL, 0), n);
    assert_int_equal(hst_model_summary(m, cut, 11), n);
    assert_string_equal(cut, "Model: \"se");
    hst_model_free(m);
    hst_backbone_free(b);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tutorials_table_equals_keras),
        cmocka_unit_test(a_short_buffer_is_not_overrun),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
