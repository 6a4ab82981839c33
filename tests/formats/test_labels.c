/* Names of classes in the ways that programs write them; what names them badly is refused. */
#include "support.h"

#include "formats/labels.h"

#include <stdio.h>
#include <string.h>

/* The names with '|' between, or the reason in front of '!'. */
static void check(const char *text, const char *want)
{
    char got[256] = "";
    hst_err err = {0};
    json_t *list = hst_labels_parse(text, strlen(text), "f", &err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        strncat(got, i ? "|" : "", sizeof got - strlen(got) - 1);
        strncat(got, json_string_value(json_array_get(list, i)), sizeof got - strlen(got) - 1);
    }
    if (!list)
        snprintf(got, sizeof got, "!%.200s", err.msg);
    assert_int_equal(list == NULL, err.code == HST_EMODEL);
    json_decref(list);
    assert_string_equal(got, want);
}

static void lines(void **state)
{
    (void)state;
    check("daisy\nred rose\n", "daisy|red rose");
    check("\xef\xbb\xbf daisy\r\nrose \r\n\r\n", "daisy|rose");
    check("0 daisy\n1 red rose\n2\ttulip", "daisy|red rose|tulip");
    check("0 daisy\n2 rose", "0 daisy|2 rose"); /* not their numbers */
    check("7", "7");
    check("daisy\n\nrose", "!f: line 2 is empty");
    check("daisy\nr\xff", "!f: line 2 is not valid UTF-8");
    check(" \n", "!f: it is empty");
}

static void json(void **state)
{
    (void)state;
    check("[\"daisy\", \"rose\"]", "daisy|rose");
    check("{\"tmVersion\": \"2\", \"labels\": [\"a\", \"b\"]}", "a|b");
    check("{\"1\": \"rose\", \"0\": \"daisy\"}", "daisy|rose");
    check("{\"rose\": 1, \"daisy\": 0}", "daisy|rose");
    check("{\"id2label\": {\"0\": \"daisy\"}}", "daisy");
    check("{\"rose\": 1, \"daisy\": 1}",
          "!f: it does not name every class once, by numbers from 0");
    check("{\"rose\": 2, \"daisy\": 0}",
          "!f: it does not name every class once, by numbers from 0");
    check("[\"daisy\", 1]", "!f: its list of labels is not one of texts");
    check("[\"daisy\"", "!f: it is no list of labels");
}

static void python(void **state)
{
    (void)state;
    check("{0: 'daisy', 1: \"rose's\", 2: 'it\\'s'}", "daisy|rose's|it's");
    check("{0:'daisy',}", "daisy");
    check("{1: 'daisy'}", "!f: it is no list of labels");
    check("{0: 'daisy', 1: 'ro", "!f: it is no list of labels");
    check("{0: 'daisy' 1: 'rose'}", "!f: it is no list of labels");
    check("{", "!f: it is no list of labels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(json),
                                       cmocka_unit_test(python)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
