/* base/spill.h: what is in it is the same on the heap and in a file; a file leaves nothing behind
 * and gives its pages back. */
#include "support.h"

#include "base/spill.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3000, NUMBERS = 4096 };

static size_t entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

static void small_is_on_the_heap_and_large_in_a_file(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder();
    const hst_ctx ctx = {.cache_dir = dir, .spill_from = 4096}, none = {.spill_from = 1};
    const hst_ctx never = {.cache_dir = dir};
    const struct {
        const hst_ctx *ctx;
        size_t n;
        int is_file;
    } cases[] = {{&ctx, 4095, 0},      {&ctx, 4096, 1}, {&none, 4096, 0},
                 {&never, 1 << 20, 0}, {NULL, 4096, 0}, {&ctx, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_spill *s = hst_spill_new(cases[i].ctx, cases[i].n, 1, &e);
        check_ok(!s, &e);
        assert_int_equal(hst_spill_is_file(s), cases[i].is_file);
        assert_int_equal((uintptr_t)hst_spill_at(s) % 64, 0);
        const char *at = hst_spill_at(s);
        for (size_t k = 0; k < cases[i].n; k++)
            assert_int_equal(at[k], 0);
        assert_int_equal(entries(dir), 0);
        hst_spill_free(s);
    }
    hst_spill_free(NULL);
    hst_spill_passed(NULL, 1);
    remove_tree(dir);
    free(dir);
}

static void a_folder_that_is_not_there_is_made(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder(), inside[4096];
    snprintf(inside, sizeof inside, "%s/a/b", dir);
    const hst_ctx ctx = {.cache_dir = inside, .spill_from = 1};
    hst_spill *s = hst_spill_new(&ctx, 10, 10, &e);
    check_ok(!s, &e);
    assert_true(hst_spill_is_file(s));
    hst_spill_free(s);
    remove_tree(dir);
    free(dir);
}

static void where_no_file_can_be_made_it_is_memory(void **state)
{
    (void)state;
    hst_err e = {0};
    char nowhere[] = "/dev/null/x";
    const hst_ctx ctx = {.cache_dir = nowhere, .spill_from = 1};
    hst_spill *s = hst_spill_new(&ctx, 10, 10, &e);
    check_ok(!s, &e);
    assert_false(hst_spill_is_file(s));
    hst_spill_free(s);
    const hst_ctx real = {.spill_from = 1};
    assert_null(hst_spill_new(&real, SIZE_MAX / 2, 4, &e));
    assert_int_equal(e.code, HST_EMEM);
}

/* Bytes of the process's memory that are mapped files. */
static size_t resident_files(void)
{
    char line[256];
    size_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssFile: %zu kB", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb << 10;
}

static void what_was_written_stays_while_pages_go(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder();
    const hst_ctx ctx = {.cache_dir = dir, .spill_from = 1};
    hst_spill *s = hst_spill_new(&ctx, ROWS, NUMBERS * sizeof(float), &e);
    check_ok(!s, &e);
    assert_true(hst_spill_is_file(s));
    const size_t row = NUMBERS * sizeof(float), before = resident_files();
    float *x = hst_spill_at(s);
    size_t most = 0;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < ROWS; i++) {
            for (size_t k = 0; k < NUMBERS; k++) {
                if (pass == 0)
                    x[i * NUMBERS + k] = (float)(i + k);
                else if (x[i * NUMBERS + k] != (float)(i + k))
                    fail_msg("row %zu, number %zu is lost", i, k);
            }
            hst_spill_passed(s, row);
            if (i % 100 == 0 && resident_files() > most)
                most = resident_files();
        }
    if (before) /* else this system does not tell */
        assert_true(most - before < ROWS * row / 2);
    hst_spill_free(s);
    remove_tree(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_is_on_the_heap_and_large_in_a_file),
        cmocka_unit_test(a_folder_that_is_not_there_is_made),
        cmocka_unit_test(where_no_file_can_be_made_it_is_memory),
        cmocka_unit_test(what_was_written_stays_while_pages_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
