/* base: errors, memory, buffers, files, hashes, random numbers, processes. */
#include "support.h"

#include "base/buf.h"
#include "base/context.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void errors_are_one_printable_line(void **state)
{
    (void)state;
    hst_err e = {0};
    assert_int_equal(hst_fail(&e, HST_EIO, "a\nb\x1b[31mc \xc3\xa9 \xff\xc2\x9b."), HST_EIO);
    assert_string_equal(e.msg, "a?b?[31mc \xc3\xa9 ???.");
    hst_err_at(&e, "photo");
    assert_string_equal(e.msg, "photo: a?b?[31mc \xc3\xa9 ???.");
    assert_int_equal(e.code, HST_EIO);
    hst_fail(&e, HST_EIO,
             "\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xf0\x9f\x8c\xbb"); /* overlong, surrogate,
                                                                            past U+10FFFF */
    assert_string_equal(e.msg, "?? ??? ???? \xf0\x9f\x8c\xbb");
    hst_fail_errno(&e, HST_EIO, ENOENT, "x");
    assert_string_equal(e.msg, "x: No such file or directory");
    assert_int_equal(hst_fail(NULL, HST_EMEM, "x"), HST_EMEM);
    assert_string_equal(hst_strcode(HST_EMEM), "out of memory");
}

static void utf8_is_read_by_its_rules(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        uint32_t code;
    } cases[] = {{"a", 1, 'a'},
                 {"", 1, 0},
                 {"\xc2\x80", 2, 0x80},
                 {"\xdf\xbf", 2, 0x7ff},
                 {"\xe0\xa0\x80", 3, 0x800},
                 {"\xed\x9f\xbf", 3, 0xd7ff},
                 {"\xee\x80\x80", 3, 0xe000},
                 {"\xef\xbf\xbf", 3, 0xffff},
                 {"\xf0\x90\x80\x80", 4, 0x10000},
                 {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
                 {"\x80", 0, 0},
                 {"\xc0\x80", 0, 0},
                 {"\xc1\xbf", 0, 0},
                 {"\xc2", 0, 0},
                 {"\xc2\x20", 0, 0},
                 {"\xe0\x9f\xbf", 0, 0},
                 {"\xed\xa0\x80", 0, 0},
                 {"\xe2\x82", 0, 0},
                 {"\xf0\x8f\xbf\xbf", 0, 0},
                 {"\xf4\x90\x80\x80", 0, 0},
                 {"\xf5\x80\x80\x80", 0, 0},
                 {"\xff", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t code = 0;
        assert_int_equal(hst_utf8_char(cases[i].text, &code), cases[i].n);
        if (cases[i].n)
            assert_int_equal(code, cases[i].code);
        assert_int_equal(hst_is_utf8(cases[i].text), cases[i].n > 0);
    }
}

static void endings_are_compared_as_they_are_or_in_any_case(void **state)
{
    (void)state;
    assert_true(hst_ends_with("a.jpg", ".jpg"));
    assert_true(hst_ends_with(".jpg", ".jpg"));
    assert_false(hst_ends_with("jpg", ".jpg"));
    assert_false(hst_ends_with("a.JPG", ".jpg"));
    assert_true(hst_ends_with_any_case("a.JpG", ".jpg"));
    assert_false(hst_ends_with_any_case("jpg", ".jpg"));
    assert_false(hst_ends_with_any_case("a.jpgx", ".jpg"));
}

static void a_long_error_is_cut_between_characters(void **state)
{
    (void)state;
    hst_err e = {0};
    char text[3000];
    memset(text, 'x', sizeof text);
    memcpy(text + 1022, "\xc3\xa9", 2);
    text[2999] = 0;
    hst_fail(&e, HST_EIO, "%s", text);
    assert_int_equal(strlen(e.msg), 1023);
    assert_int_equal(e.msg[1022], '?'); /* half a character is not printed */
}

static void memory_refuses_products_that_overflow(void **state)
{
    (void)state;
    hst_err e = {0};
    assert_null(hst_alloc(SIZE_MAX / 2, 3, &e));
    assert_int_equal(e.code, HST_EMEM);
    assert_null(hst_alloc(SIZE_MAX - 8, 1, &e));
    assert_null(hst_resize(NULL, SIZE_MAX / 2, 3, &e));
    float *p = hst_alloc(17, sizeof *p, &e);
    assert_int_equal((uintptr_t)p % HST_ALIGN, 0);
    for (int i = 0; i < 17; i++)
        assert_true(p[i] == 0);
    free(p);
}

static void arena_pieces_are_zeroed_and_aligned(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_arena *a = hst_arena_new(&e);
    for (size_t n = 1; n < 300000; n = n * 3 + 1) {
        unsigned char *p = hst_arena_alloc(a, n, 1, &e);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % HST_ALIGN, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 255, n);
    }
    char *one = hst_arena_text(a, 10, &e), *next = hst_arena_text(a, 10, &e);
    assert_ptr_equal(next, one + 10); /* no gaps between the paths of many photos */
    assert_null(hst_arena_alloc(a, SIZE_MAX - 10, 1, &e));
    hst_arena_free(a);
}

static void buffers_grow_to_their_maximum(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_buf b = HST_BUF(20);
    hst_buf_csv(&b, "a\"b,c");
    hst_buf_double(&b, 0.1);
    hst_buf_double(&b, 100);
    assert_string_equal(b.p, "\"a\"\"b,c\"0.1100");
    assert_int_equal(hst_buf_check(&b, &e), 0);
    hst_buf_puts(&b, "0123456789");
    assert_int_equal(hst_buf_check(&b, &e), HST_EMEM);
    hst_buf_free(&b);
}

/* A float and its neighbour are different texts of as few digits as that takes. */
static void floats_are_short_and_read_back(void **state)
{
    (void)state;
    static const float x[] = {0.1f, 0, -0.5f, 16777216, 1.17549435e-38f, 0.3f, 0.30000004f};
    hst_buf b = HST_BUF(200);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        hst_buf_float(&b, x[i]);
        hst_buf_puts(&b, " ");
    }
    assert_string_equal(b.p, "0.1 0 -0.5 16777216 1.1754944e-38 0.3 0.30000004 ");
    hst_buf_free(&b);
}

static void doubles_never_take_the_locales_comma(void **state)
{
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        print_message("skipped: the locale de_DE.UTF-8 is not here\n");
        skip();
    }
    hst_buf b = HST_BUF(100);
    hst_buf_double(&b, 1.5);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(b.p, "1.5");
    hst_buf_free(&b);
}

static void what_a_killed_writer_left_is_swept(void **state)
{
    (void)state;
    static const char *const stay[] = {"a", "a.123456.tmp2", "a.12-456.tmp", "b.123456.tmp",
                                       ".tmp"};
    static const char *const names[] = {"x", "a"};
    hst_err e = {0};
    char *dir = temporary_folder(), *path;
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        path = hst_path_join(dir, stay[i], &e);
        check_ok(hst_file_write(path, "", 0, &e), &e);
        free(path);
    }
    path = hst_path_join(dir, "a", &e);
    hst_out *o;
    check_ok(hst_out_open(&o, path, &e), &e); /* makes "a.XXXXXX.tmp" */
    hst_out_sweep(dir, names, 2);
    assert_int_equal(hst_out_commit(o, &e), HST_EIO); /* it is gone */
    hst_out_close(o);
    free(path);
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        path = hst_path_join(dir, stay[i], &e);
        assert_true(hst_is_file(path));
        free(path);
    }
    hst_out_sweep("/nowhere/at/all", names, 2);
    remove_tree(dir);
    free(dir);
}

static void files_appear_whole_or_not_at_all(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x", &e);
    uint8_t *data;
    size_t n;
    check_ok(hst_file_write(path, "old", 3, &e), &e);
    hst_out *o;
    check_ok(hst_out_open(&o, path, &e), &e);
    check_ok(hst_out_write(o, "newer", 5, &e), &e);
    hst_out_close(o); /* without commit */
    check_ok(hst_file_read(path, 100, HST_EDATA, &data, &n, &e), &e);
    assert_int_equal(n, 3);
    assert_string_equal((char *)data, "old");
    free(data);
    assert_int_equal(hst_file_read(path, 2, HST_EDATA, &data, &n, &e), HST_EDATA);
    assert_int_equal(hst_file_read(dir, 100, HST_EDATA, &data, &n, &e), HST_EDATA);
    assert_string_equal(e.msg, "is a folder");
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
    assert_int_equal(hst_out_open(&o, path, &e), HST_EIO);
    assert_int_equal(e.code, HST_EIO);
    hst_out_close(o);
    free(path);
    free(dir);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder(), *deep = hst_path_join(dir, "a/b//c/", &e);
    check_ok(hst_mkdirs(deep, &e), &e);
    check_ok(hst_mkdirs(deep, &e), &e);
    assert_true(hst_is_dir(deep));
    char *file = hst_path_join(dir, "f", &e), *under = hst_path_join(file, "g", &e);
    check_ok(hst_file_write(file, "", 0, &e), &e);
    assert_int_equal(hst_mkdirs(under, &e), HST_EIO);
    remove_tree(dir);
    free(under);
    free(file);
    free(deep);
    free(dir);
}

static void sha256_known_answer(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t d[32];
    char hex[HST_SHA256_HEX]; /* FIPS 180-4, example "abc" */
    const char *want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    check_ok(hst_sha256_bytes("abc", 3, d, &e), &e);
    hst_hex(d, hex);
    assert_string_equal(hex, want);
    hst_sha256 *h = hst_sha256_new(&e);
    check_ok(hst_sha256_add(h, "a", 1, &e), &e);
    check_ok(hst_sha256_add(h, "bc", 2, &e), &e);
    check_ok(hst_sha256_end(h, d, &e), &e);
    hst_hex(d, hex);
    assert_string_equal(hex, want);
    hst_sha256_free(h);
}

static void digests_are_read_from_hex(void **state)
{
    (void)state;
    char hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", again[65];
    hst_digest d = {0};
    assert_false(hst_digest_is_set(&d));
    assert_true(hst_unhex(hex, d.byte));
    assert_true(hst_digest_is_set(&d));
    hst_hex(d.byte, again);
    assert_string_equal(again, hex);
    hex[63] = 'g';
    assert_false(hst_unhex(hex, d.byte));
    hex[63] = 0; /* too short: nothing behind its end is looked at */
    assert_false(hst_unhex(hex, d.byte));
    assert_false(hst_unhex("", d.byte));
}

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];
        hst_philox(kat[i].counter, kat[i].key, out);
        assert_memory_equal(out, kat[i].out, sizeof out);
    }
}

static void streams_differ_and_repeat(void **state)
{
    (void)state;
    hst_rng a = hst_rng_new(42, HST_RNG_SHUFFLE, 0, 0), b = hst_rng_new(42, HST_RNG_INIT, 0, 0);
    hst_rng again = hst_rng_new(42, HST_RNG_SHUFFLE, 0, 0);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t x = hst_rng_u32(&a);
        assert_int_equal(x, hst_rng_u32(&again));
        same += x == hst_rng_u32(&b);
        assert_true(hst_rng_below(&a, 7) < 7);
        (void)hst_rng_below(&again, 7);
        double u = hst_rng_uniform(&a);
        assert_true(u >= 0 && u < 1);
        (void)hst_rng_uniform(&again);
    }
    assert_int_equal(same, 0); /* of unrelated streams one in 40 million has a number in common */
}

/* numpy.random.RandomState(123): first numbers, and shuffle(range(10)). */
static void mt19937_equals_numpy(void **state)
{
    (void)state;
    static const uint32_t first[] = {2991312382u, 3062119789u, 1228959102u, 1840268610u,
                                     974319580u};
    static const size_t shuffled[] = {4, 0, 7, 5, 8, 3, 1, 6, 9, 2};
    hst_mt19937 m;
    hst_mt19937_seed(&m, 123);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hst_mt19937_u32(&m), first[i]);
    size_t x[10];
    for (size_t i = 0; i < 10; i++)
        x[i] = i;
    hst_mt19937_seed(&m, 123);
    hst_mt19937_shuffle(&m, x, 10);
    assert_memory_equal(x, shuffled, sizeof x);
}

static void processes_report_how_they_ended(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_process_result r;
    hst_ctx ctx = {0};
    const char *const say[] = {"sh", "-c", "echo one; echo two >&2; exit 3", NULL};
    check_ok(hst_process_run(&ctx, "x", say, 10, &r, &e), &e);
    assert_int_equal(r.exit_code, 3);
    assert_string_equal(r.tail, "two");
    const char *const slow[] = {"sh", "-c", "sleep 30", NULL};
    check_ok(hst_process_run(&ctx, "x", slow, 1, &r, &e), &e);
    assert_int_equal(r.timed_out, 1);
}

static void a_program_that_is_missing_is_told(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_process_result r;
    hst_ctx ctx = {0};
    skip_where_a_missing_program_starts();
    const char *const none[] = {"/nonexistent/program", NULL};
    assert_int_equal(hst_process_run(&ctx, "x", none, 1, &r, &e), HST_EPROC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_printable_line),
        cmocka_unit_test(utf8_is_read_by_its_rules),
        cmocka_unit_test(endings_are_compared_as_they_are_or_in_any_case),
        cmocka_unit_test(a_long_error_is_cut_between_characters),
        cmocka_unit_test(memory_refuses_products_that_overflow),
        cmocka_unit_test(arena_pieces_are_zeroed_and_aligned),
        cmocka_unit_test(buffers_grow_to_their_maximum),
        cmocka_unit_test(floats_are_short_and_read_back),
        cmocka_unit_test(doubles_never_take_the_locales_comma),
        cmocka_unit_test(files_appear_whole_or_not_at_all),
        cmocka_unit_test(what_a_killed_writer_left_is_swept),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(sha256_known_answer),
        cmocka_unit_test(digests_are_read_from_hex),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(mt19937_equals_numpy),
        cmocka_unit_test(processes_report_how_they_ended),
        cmocka_unit_test(a_program_that_is_missing_is_told),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
