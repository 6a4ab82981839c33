/* The writer of state dicts: the archive's bytes against its format, its tensors through our own
 * reader of such files. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "exports/pth.h"
#include "formats/convert.h"

#include <stdlib.h>
#include <string.h>

static const float numbers[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
static const int64_t batches = 300;
static const hst_tensor tensors[] = {
    {"conv.weight", HST_F32, 2, {2, 3}, numbers, sizeof numbers},
    {"bn.num_batches_tracked", HST_I64, 0, {0}, &batches, sizeof batches},
    {"fc.bias", HST_F32, 1, {3}, numbers + 3, 3 * sizeof *numbers}};
enum { N = sizeof tensors / sizeof *tensors };
static const hst_meta_pair about[] = {{"labels", "[\"a\", \"\xc3\xa4\"]"}};

static char *written(const char *dir, const char *name)
{
    hst_err err = {0};
    char *path = hst_path_join(dir, name, &err);
    assert_non_null(path);
    check_ok(hst_pth_write(path, tensors, N, about, 1, &err), &err);
    return path;
}

static uint8_t *bytes_of(const char *path, size_t *n)
{
    hst_err err = {0};
    uint8_t *p = NULL;
    check_ok(hst_file_read(path, 1 << 20, HST_EMODEL, &p, n, &err), &err);
    return p;
}

static uint32_t number_at(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * i;
    return v;
}

/* Members are stored, without a date, and begin at multiples of 64 bytes. */
static void test_archive(void **state)
{
    static const char *const names[] = {"archive/data.pkl", "archive/byteorder", "archive/data/0",
                                        "archive/data/1",   "archive/data/2",    "archive/version"};
    enum { MEMBERS = sizeof names / sizeof *names, END = 22 };
    (void)state;
    size_t n = 0, at = 0;
    char *dir = temporary_folder(), *path = written(dir, "a.pth");
    uint8_t *p = bytes_of(path, &n);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(number_at(p + at, 4), 0x04034b50);
        assert_int_equal(number_at(p + at + 8, 2), 0);
        assert_int_equal(number_at(p + at + 10, 4), 0x210000);
        assert_int_equal(number_at(p + at + 18, 4), number_at(p + at + 22, 4));
        assert_int_equal(number_at(p + at + 26, 2), strlen(names[i]));
        assert_memory_equal(p + at + 30, names[i], strlen(names[i]));
        const size_t begins = at + 30 + strlen(names[i]) + number_at(p + at + 28, 2);
        assert_int_equal(begins % 64, 0);
        if (i == 2)
            assert_memory_equal(p + begins, numbers, sizeof numbers);
        at = begins + number_at(p + at + 18, 4);
    }
    assert_int_equal(number_at(p + at, 4), 0x02014b50);
    assert_int_equal(number_at(p + n - END, 4), 0x06054b50);
    assert_int_equal(number_at(p + n - END + 10, 2), MEMBERS);
    assert_int_equal(number_at(p + n - END + 16, 4), at);
    free(p);
    free(path);
    remove_tree(dir);
    free(dir);
}

static void test_same_bytes(void **state)
{
    (void)state;
    size_t n[2] = {0};
    char *dir = temporary_folder(), *a = written(dir, "a.pth"), *b = written(dir, "b.pth");
    uint8_t *x = bytes_of(a, &n[0]), *y = bytes_of(b, &n[1]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(x, y, n[0]);
    free(y);
    free(x);
    free(b);
    free(a);
    remove_tree(dir);
    free(dir);
}

static void test_read_back(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    char *dir = temporary_folder(), *path = written(dir, "a.pth");
    char *to = hst_path_join(dir, "a.safetensors", &err);
    check_ok(hst_convert(ctx, path, to, &err), &err);
    hst_tensors *t = hst_tensors_read(to, &err);
    check_ok(t == NULL, &err);
    for (int i = 0; i < N; i++) {
        const hst_tensor *x = hst_tensors_find(t, tensors[i].name);
        if (tensors[i].dtype != HST_F32)
            continue;
        assert_non_null(x);
        assert_int_equal(x->n_dims, tensors[i].n_dims);
        assert_memory_equal(x->dim, tensors[i].dim, (size_t)x->n_dims * sizeof *x->dim);
        assert_memory_equal(x->data, tensors[i].data, tensors[i].n_bytes);
    }
    hst_tensors_free(t);
    free(to);
    free(path);
    remove_tree(dir);
    free(dir);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_archive),
                                       cmocka_unit_test(test_same_bytes),
                                       cmocka_unit_test(test_read_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
