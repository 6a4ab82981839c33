/* JSON by way of hst_json_parse: what it takes, and that no lost allocation changes a value. */
#include "base/json.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text, hst_err *e)
{
    return hst_json_parse(text, strlen(text), "a test", e);
}

static void values_are_read(void **state)
{
    (void)state;
    hst_err e = {0};
    json_t *v = parse(" {\"a\\n\\u00e9\": [1, 2.5, \"x\"], \"b\": null}\n", &e);
    assert_non_null(v);
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"a\\n\303\251\":[1,2.5,\"x\"],\"b\":null}");
    free(text);
    json_decref(v);
}

static void what_is_no_single_value_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",      " ",     "{",           "{\"a\":1}}",        "1,2",           "[1],[2]",
        "1] [2", "\"a",   "{\"a\":1 2}", "{\"a\":1,\"a\":2}", "\"a\", \"b\"",  "]",
        "\\",    "\"\\x", "\"\xff\"",    "{\"a\\u0000\": 1}", "[\"a\", \"b\"", "nul"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hst_err e = {0};
        if (parse(texts[i], &e))
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(e.code, HST_EMODEL);
    }
}

static void a_position_is_one_of_the_text(void **state)
{
    (void)state;
    hst_err e = {0};
    assert_null(parse("[1, 2, oh]", &e));
    assert_non_null(strstr(e.msg, "(byte 9)"));
}

/* ---- memory ---- */

static long countdown; /* the allocation that fails */
static int for_ever;

static void *scarce(size_t n)
{
    if (countdown > 0)
        countdown--;
    if (countdown != 0)
        return malloc(n);
    if (!for_ever)
        countdown = -1;
    return NULL;
}

/* Every allocation of parsing text fails in turn: the same value, or an error. */
static void starve(const char *text)
{
    hst_err e = {0};
    json_t *right = parse(text, &e);
    assert_non_null(right);
    for (for_ever = 0; for_ever < 2; for_ever++) {
        int taken = 0;
        for (long k = 1; !taken; k++) {
            countdown = k;
            json_set_alloc_funcs(scarce, free);
            json_t *v = parse(text, &e);
            taken = countdown > 0;
            json_set_alloc_funcs(malloc, free);
            if (v && !json_equal(v, right))
                fail_msg("allocation %ld failed and another value came out", k);
            if (!v && e.code != HST_EMEM && e.code != HST_EMODEL)
                fail_msg("allocation %ld failed: %s", k, e.msg);
            assert_true(v || !taken);
            json_decref(v);
            assert_true(k < 1000);
        }
    }
    json_decref(right);
}

static void every_lost_allocation_is_noticed(void **state)
{
    (void)state;
    starve("{\"short\": \"s\", \"key that makes the buffer grow\": "
           "\"\\t\\t\\t\\t\\t\\u00e9\\ud83d\\ude00 and on, and on, and on\","
           "\"n\": [12345678901234567, 0.1234567890123456789012345]}");
    for (int n = 0; n < 140; n++) { /* wherever the buffer grows */
        char text[160];
        snprintf(text, sizeof text, "[\"%.*s\\t\"]", n,
                 "----------------------------------------------------------------------"
                 "----------------------------------------------------------------------");
        starve(text);
    }
}

/* What is written lacks nothing, whichever allocation fails. */
static void nothing_is_left_out(void **state)
{
    (void)state;
    hst_err e = {0};
    json_t *v = parse("{\"a long key so that buffers grow\": [1, 2.5, \"x\"], \"b\": {\"c\": null, "
                      "\"another key that is long enough for it\": \"\\u00e9\\n\"}}",
                      &e);
    char *want = hst_json_write(v, JSON_COMPACT | JSON_SORT_KEYS, &e);
    assert_non_null(want);
    char *usual = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(want, usual);
    free(usual);
    for (long k = 1, done = 0; !done; k++) {
        countdown = k;
        for_ever = 0;
        json_set_alloc_funcs(scarce, free);
        char *text = hst_json_write(v, JSON_COMPACT | JSON_SORT_KEYS, &e);
        done = countdown > 0;
        json_set_alloc_funcs(malloc, free);
        if (text)
            assert_string_equal(text, want);
        else
            assert_int_equal(e.code, HST_EMEM);
        free(text);
    }
    free(want);
    json_decref(v);
    assert_null(hst_json_write(NULL, 0, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(what_is_no_single_value_is_refused),
        cmocka_unit_test(a_position_is_one_of_the_text),
        cmocka_unit_test(every_lost_allocation_is_noticed),
        cmocka_unit_test(nothing_is_left_out),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
