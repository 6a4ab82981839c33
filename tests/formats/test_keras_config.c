/* What layers in front of a network make of pixels, as Keras 2 and 3 write it down. */
#include "support.h"

#include "keras.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LAMBDA(function, y)                                                                        \
    "{\"class_name\": \"TFOpLambda\", \"config\": {\"function\": \"" function "\"}, "              \
    "\"inbound_nodes\": [[\"input\", 0, 0, {\"y\": " y "}]]}, "
/* The older form has a list more. */
#define LAMBDA_IN_LIST(function, y)                                                                \
    "{\"class_name\": \"TFOpLambda\", \"config\": {\"function\": \"" function "\"}, "              \
    "\"inbound_nodes\": [[[\"input\", 0, 0, {\"y\": " y "}]]]}, "
#define OP(class, y)                                                                               \
    "{\"class_name\": \"" class "\", \"config\": {}, \"inbound_nodes\": [{\"args\": "              \
                                "[{\"class_name\": \"__keras_tensor__\"}, " y                      \
                                "], \"kwargs\": {}}]}, "
#define RESCALING "{\"class_name\": \"Rescaling\", \"config\": {\"scale\": 0.00392156862745098}}, "

static const struct {
    const char *front, *mean, *std; /* mean "": nothing is known */
} models[] = {
    /* preprocess_input() of MobileNetV2 within a model */
    {LAMBDA("math.truediv", "127.5") LAMBDA("math.subtract", "1.0"), "127.5 127.5 127.5",
     "127.5 127.5 127.5"},
    {OP("TrueDivide", "127.5") OP("Subtract", "1.0"), "127.5 127.5 127.5", "127.5 127.5 127.5"},
    {RESCALING LAMBDA_IN_LIST("math.multiply", "[[[[2.0, 4.0, 8.0]]]]"), "0 0 0",
     "127.5 63.75 31.875"},
    {OP("Add", "-127.0") OP("Divide", "[128.0, 64.0, 32.0]"), "127 127 127", "128 64 32"},
    {LAMBDA("cast", "\"float32\"") LAMBDA("__operators__.add", "-127.5"), "127.5 127.5 127.5",
     "1 1 1"},
    {LAMBDA("math.sin", "1.0") RESCALING, "", ""},
    {LAMBDA("math.multiply", "\"many\"") RESCALING, "", ""},
    {LAMBDA("math.truediv", "0.0"), "", ""},
    {"{\"class_name\": \"TFOpLambda\"}, ", "", ""},
    {RESCALING "{\"class_name\": \"SlicingOpLambda\"}, ", "", ""},
    {"", "", ""},
};

static void the_front_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        hst_err err = {0};
        char text[2048];
        weights w;
        const char *mean = "", *std = "";
        snprintf(
            text, sizeof text,
            "{\"config\": {\"layers\": [%s{\"class_name\": \"Conv2D\", \"config\": {}}, " LAMBDA(
                "math.sin", "1.0") "{}]}}",
            models[i].front);
        json_t *config = keras_parse(text, strlen(text), "the model", &err);
        check_ok(config == NULL, &err);
        check_ok(weights_begin(&w, &err), &err);
        check_ok(keras_say_config(&w, config, &err), &err);
        for (size_t k = 0; k < w.n_facts; k++) {
            mean = strcmp(w.fact[k].key, "mean") == 0 ? w.fact[k].value : mean;
            std = strcmp(w.fact[k].key, "std") == 0 ? w.fact[k].value : std;
        }
        assert_string_equal(mean, models[i].mean);
        assert_string_equal(std, models[i].std);
        weights_end(&w);
        json_decref(config);
    }
}

static const char *fact(const weights *w, const char *key)
{
    for (size_t k = 0; k < w->n_facts; k++)
        if (strcmp(w->fact[k].key, key) == 0)
            return w->fact[k].value;
    return "";
}

/* The first input that says its size. */
static void the_size_is_read(void **state)
{
    (void)state;
#define INPUT(shape)                                                                               \
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, " shape "]}}"
    static const struct {
        const char *layers, *px, *width, *height;
    } cases[] = {
        {INPUT("96, 96, 3"), "96", "", ""},
        {INPUT("96, 128, 3"), "", "128", "96"},
        {INPUT("96, 128, 1"), "", "", ""},
        {INPUT("null, null, 3"), "", "", ""},
        {INPUT("96, null, 3") ", " INPUT("64, 32, 3") ", " INPUT("8, 8, 3"), "", "32", "64"},
        {INPUT("96, -1, 3"), "", "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err err = {0};
        char text[1024];
        weights w;
        snprintf(text, sizeof text, "{\"config\": {\"layers\": [%s]}}", cases[i].layers);
        json_t *config = keras_parse(text, strlen(text), "the model", &err);
        check_ok(config == NULL, &err);
        check_ok(weights_begin(&w, &err), &err);
        check_ok(keras_say_config(&w, config, &err), &err);
        check_ok(weights_say_size(&w, 5, 6, &err), &err); /* what was said stays */
        const int is = *cases[i].px || *cases[i].width;
        assert_string_equal(fact(&w, "image_px"), cases[i].px);
        assert_string_equal(fact(&w, "image_width_px"), is ? cases[i].width : "5");
        assert_string_equal(fact(&w, "image_height_px"), is ? cases[i].height : "6");
        weights_end(&w);
        json_decref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_front_is_read),
                                       cmocka_unit_test(the_size_is_read)};
    return cmocka_run_group_tests_name("keras_config", tests, NULL, NULL);
}
