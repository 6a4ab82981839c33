/* formats: layers that Keras only counted begin at none, whatever their session made before. */
#include "support.h"

#include "keras.h"

#include <string.h>

static void check(const char *const *names, const char *const *want, size_t n)
{
    hst_err err = {0};
    weights w;
    const float x = 0;
    check_ok(weights_begin(&w, &err), &err);
    for (size_t i = 0; i < n; i++)
        check_ok(weights_add(&w,
                             &(hst_tensor){.name = names[i],
                                           .dtype = HST_F32,
                                           .n_dims = 1,
                                           .dim = {1},
                                           .data = &x,
                                           .n_bytes = sizeof x},
                             &err),
                 &err);
    check_ok(keras_count_from_none(&w, &err), &err);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(w.t[i].name, want[i]);
    weights_end(&w);
}

static void a_later_network_is_counted_from_none(void **state)
{
    (void)state;
    static const char *const names[] = {"conv2d_94/kernel",
                                        "net/conv2d_100/kernel",
                                        "batch_normalization_1/beta",
                                        "batch_normalization_2/beta",
                                        "depthwise_conv2d/depthwise_kernel",
                                        "depthwise_conv2d_7/depthwise_kernel",
                                        "conv2d_095/kernel",
                                        "conv2d_9x/kernel",
                                        "conv2d_",
                                        "conv2d_1234567/kernel",
                                        "my_conv2d_3/kernel",
                                        "dense_3/kernel"};
    static const char *const want[] = {"conv2d/kernel",
                                       "net/conv2d_6/kernel",
                                       "batch_normalization/beta",
                                       "batch_normalization_1/beta",
                                       "depthwise_conv2d/depthwise_kernel",
                                       "depthwise_conv2d_7/depthwise_kernel",
                                       "conv2d_095/kernel",
                                       "conv2d_9x/kernel",
                                       "conv2d_",
                                       "conv2d_1234567/kernel",
                                       "my_conv2d_3/kernel",
                                       "dense_3/kernel"};
    check(names, want, sizeof names / sizeof *names);
}

static void numbers_from_none_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"conv2d_5/kernel", "conv2d/kernel", "conv2d_5/bias"};
    check(names, names, sizeof names / sizeof *names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_later_network_is_counted_from_none),
        cmocka_unit_test(numbers_from_none_stay),
    };
    return cmocka_run_group_tests_name("keras_count", tests, NULL, NULL);
}
