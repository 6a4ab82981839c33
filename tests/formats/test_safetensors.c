/* safetensors: what is written is read again; what is wrong is refused with a reason. */
#include "support.h"

#include "base/file.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of a header and data bytes, to be freed. */
static uint8_t *file_of(const char *header, const void *data, size_t n_data, size_t *n)
{
    uint64_t length = strlen(header);
    *n = 8 + length + n_data;
    uint8_t *p = malloc(*n);
    memcpy(p, &length, 8);
    memcpy(p + 8, header, length);
    if (n_data)
        memcpy(p + 8 + length, data, n_data);
    return p;
}

static hst_tensors *parse(const char *header, size_t n_data, hst_err *err)
{
    size_t n;
    uint8_t data[256] = {0}, *bytes = file_of(header, data, n_data, &n);
    hst_tensors *t = hst_tensors_parse(bytes, n, err);
    free(bytes);
    return t;
}

static void refused(const char *header, size_t n_data, const char *why)
{
    hst_err err = {0};
    hst_tensors *t = parse(header, n_data, &err);
    if (t || err.code != HST_EMODEL || !strstr(err.msg, why))
        fail_msg("%s: got %d '%s', want '%s'", header, t ? 0 : err.code, err.msg, why);
}

static const float weights[6] = {1, -2, 3.5f, 0, 1e30f, -0.f};
static const uint8_t odd[3] = {7, 8, 9};
static const hst_tensor two[2] = {
    {"odd", HST_U8, 1, {3}, odd, 3},
    {"a.weight", HST_F32, 2, {2, 3}, weights, 24},
};
static const hst_meta_pair notes[2] = {{"z", "last \"quoted\" \n \xc3\xa9"}, {"a", "first"}};

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x.safetensors", &err);
    check_ok(hst_tensors_write(path, two, 2, notes, 2, &err), &err);
    hst_tensors *t = hst_tensors_read(path, &err);
    check_ok(t == NULL, &err);
    assert_int_equal(hst_tensors_count(t), 2);
    assert_string_equal(hst_tensors_at(t, 0)->name, "a.weight");
    assert_null(hst_tensors_at(t, 2));
    assert_null(hst_tensors_find(t, "b"));
    const hst_tensor *a = hst_tensors_find(t, "a.weight");
    assert_int_equal(a->n_dims, 2);
    assert_int_equal(a->dim[1], 3);
    assert_int_equal(hst_tensor_count(a), 6);
    assert_int_equal((uintptr_t)a->data % 8, 0); /* behind the three odd bytes of the file */
    assert_memory_equal(a->data, weights, 24);
    assert_memory_equal(hst_tensors_find(t, "odd")->data, odd, 3);
    assert_string_equal(hst_tensors_meta(t, "z"), notes[0].value);
    assert_null(hst_tensors_meta(t, "absent"));
    char of_file[65], of_tensors[65];
    check_ok(hst_tensors_digest_of(t, NULL, of_file, &err), &err);
    check_ok(hst_tensors_digest(two, 2, notes, 2, NULL, of_tensors, &err), &err);
    assert_string_equal(of_file, of_tensors);
    hst_tensors_drop_data(t);
    assert_null(hst_tensors_find(t, "odd")->data);
    assert_string_equal(hst_tensors_meta(t, "z"), notes[0].value);
    hst_tensors_free(t);
    remove_tree(dir);
    free(path);
    free(dir);
}

static void equal_input_gives_equal_bytes(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_meta_pair swapped[2] = {notes[1], notes[0]};
    hst_buf a = HST_BUF(10000), b = HST_BUF(10000);
    check_ok(hst_tensors_head(two, 2, notes, 2, &a, &err), &err);
    check_ok(hst_tensors_head(two, 2, swapped, 2, &b, &err), &err);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.n % 8, 0);
    assert_memory_equal(a.p, b.p, a.n);
    hst_buf_free(&a);
    hst_buf_free(&b);
}

static void the_writer_refuses_what_no_reader_takes(void **state)
{
    (void)state;
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x.safetensors", &err);
    hst_tensor bad[2] = {two[0], two[0]};
    assert_int_equal(hst_tensors_write(path, bad, 2, NULL, 0, &err), HST_EARG);
    bad[0].name = "\xff";
    assert_int_equal(hst_tensors_write(path, bad, 1, NULL, 0, &err), HST_EARG);
    bad[0].name = "__metadata__";
    assert_int_equal(hst_tensors_write(path, bad, 1, NULL, 0, &err), HST_EARG);
    bad[0] = two[0];
    bad[0].n_bytes = 4;
    assert_int_equal(hst_tensors_write(path, bad, 1, NULL, 0, &err), HST_EARG);
    bad[0] = two[0];
    bad[0].dim[0] = -3;
    assert_int_equal(hst_tensors_write(path, bad, 1, NULL, 0, &err), HST_EARG);
    hst_meta_pair twice[2] = {notes[0], notes[0]};
    assert_int_equal(hst_tensors_write(path, two, 2, twice, 2, &err), HST_EARG);
    assert_false(hst_is_file(path));
    assert_int_equal(hst_tensors_write("/nowhere/x", two, 2, NULL, 0, &err), HST_EIO);
    remove_tree(dir);
    free(path);
    free(dir);
}

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    refused("[]", 0, "'{'");
    refused(" {}", 0, "'{'");
    refused("{", 0, "'{'");
    refused("{}x", 0, "JSON");
    refused("{\"a\":1}", 0, "dtype");
    refused("{\"a\":{\"dtype\":\"F33\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "F33");
    refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "dimension");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "range");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "range");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "left over");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "cut off");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5, "hole");
    refused("{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,0]}}", 0, "needs");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
            0, "overflow");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
            "overflow");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1e400],\"data_offsets\":[0,4]}}", 4, "JSON");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
            4, "JSON");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
            "8 dimensions");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "not a string");
    refused("{\"__metadata__\":[]}", 0, "object");
    refused("{\"a\":{\"dtype\":{\"x\":{\"y\":{}}}}}", 0, "nested");
    refused("{\"a\":{},\"a\":{}}", 0, "JSON");
    refused("{\"a\xff\":{}}", 0, "JSON");
}

static void rare_files_are_accepted(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_tensors *t = parse("{}      ", 0, &err);
    assert_non_null(t);
    assert_int_equal(hst_tensors_count(t), 0);
    hst_tensors_free(t);
    t = parse("{\"b\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]},"
              "\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[1,1]},"
              "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[1,9]}}",
              9, &err);
    check_ok(t == NULL, &err);
    assert_int_equal(hst_tensor_count(hst_tensors_find(t, "a")), 0);
    assert_int_equal(hst_tensor_count(hst_tensors_find(t, "c")), 1);
    assert_int_equal((uintptr_t)hst_tensors_find(t, "c")->data % 8, 0);
    hst_tensors_free(t);
}

/* A header with a great many values would cost far more memory than the file. */
static void memory_stays_near_the_size_of_the_file(void **state)
{
    (void)state;
    hst_err err = {0};
    size_t n, many = 1000000;
    char *header = malloc(many * 3 + 16), *s = header + 7;
    memcpy(header, "{\"a\":[0", 7);
    for (size_t i = 0; i < many; i++, s += 3)
        memcpy(s, ",{}", 3);
    memcpy(s, "]}", 3);
    uint8_t *bytes = file_of(header, NULL, 0, &n);
    assert_null(hst_tensors_parse(bytes, n, &err));
    assert_non_null(strstr(err.msg, "values"));
    free(bytes);
    memset(header, '[', many);
    header[0] = '{';
    header[many] = 0;
    bytes = file_of(header, NULL, 0, &n);
    assert_null(hst_tensors_parse(bytes, n, &err));
    assert_non_null(strstr(err.msg, "nested"));
    free(bytes);
    free(header);
}

static uint8_t *small_file(size_t *n)
{
    hst_err err = {0};
    hst_buf b = HST_BUF(10000);
    check_ok(hst_tensors_head(two, 2, notes, 2, &b, &err), &err);
    hst_buf_add(&b, odd, 3);
    hst_buf_add(&b, weights, 24);
    *n = b.n;
    return (uint8_t *)b.p;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *file = small_file(&n);
    for (size_t cut = 0; cut < n; cut++) {
        hst_err err = {0};
        uint8_t *part = malloc(cut ? cut : 1); /* exact size, so that sanitizers see any overrun */
        memcpy(part, file, cut);
        assert_null(hst_tensors_parse(part, cut, &err));
        assert_int_equal(err.code, HST_EMODEL);
        free(part);
    }
    free(file);
}

/* Each bit of the file: refused, or the digest tells (spaces of the padding and the two spellings
 * of an escape carry nothing). */
static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    hst_err err = {0};
    size_t n, quiet = 0;
    uint8_t *file = small_file(&n);
    char want[65], got[65];
    check_ok(hst_tensors_digest(two, 2, notes, 2, NULL, want, &err), &err);
    for (size_t bit = 0; bit < n * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        hst_tensors *t = hst_tensors_parse(file, n, &err);
        if (t) {
            check_ok(hst_tensors_digest_of(t, NULL, got, &err), &err);
            quiet += strcmp(want, got) == 0;
        }
        hst_tensors_free(t);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(quiet <= 8);
    free(file);
}

static void the_digest_leaves_out_one_key(void **state)
{
    (void)state;
    hst_err err = {0};
    char a[65], b[65], c[65];
    hst_meta_pair more[3] = {notes[0], notes[1], {"self", "x"}};
    check_ok(hst_tensors_digest(two, 2, notes, 2, NULL, a, &err), &err);
    check_ok(hst_tensors_digest(two, 2, more, 3, "self", b, &err), &err);
    check_ok(hst_tensors_digest(two, 2, more, 3, NULL, c, &err), &err);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

static void halves_and_doubles_become_floats(void **state)
{
    (void)state;
    hst_err err = {0};
    uint16_t half[8] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x83ff, 0x7c00, 0x7e00, 0x8000};
    float want[8] = {1, -2, 65504, 0x1p-24f, -1023 * 0x1p-24f, INFINITY, 0, 0}, out[8];
    hst_tensor n = {"h", HST_F16, 1, {8}, half, 16};
    check_ok(hst_tensor_floats(&n, out, &err), &err);
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == want[i]);
    assert_true(isnan(out[6]));
    assert_true(out[7] == 0 && signbit(out[7]));
    for (uint32_t h = 0; h < 0x7c00; h++) { /* all finite ones, by definition */
        half[0] = (uint16_t)h;
        double e = h >> 10 ? (double)(h >> 10) : 1;
        double v = ldexp((h >> 10 ? 1024 : 0) + (double)(h & 1023), (int)e - 25);
        check_ok(hst_tensor_floats(&n, out, &err), &err);
        assert_true((double)out[0] == v);
    }
    uint16_t brain[2] = {0x3f80, 0xc2f7};
    n = (hst_tensor){"b", HST_BF16, 1, {2}, brain, 4};
    check_ok(hst_tensor_floats(&n, out, &err), &err);
    assert_true(out[0] == 1 && out[1] == -123.5f);
    double wide[2] = {0.1, -3};
    n = (hst_tensor){"d", HST_F64, 1, {2}, wide, 16};
    check_ok(hst_tensor_floats(&n, out, &err), &err);
    assert_true(out[0] == 0.1f && out[1] == -3);
    n.dtype = HST_I64;
    assert_int_equal(hst_tensor_floats(&n, out, &err), HST_EMODEL);
}

static void hostile_files_get_their_verdict(void **state)
{
    (void)state;
    static const char *const bad[] = {"truncated_data",
                                      "truncated_header",
                                      "header_length_huge",
                                      "header_length_99999999",
                                      "overlap",
                                      "hole",
                                      "duplicate_key",
                                      "duplicate_key_same_range",
                                      "negative_shape"};
    char name[128];
    hst_err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(name, sizeof name, "fixtures/bad/st_%s.safetensors", bad[i]);
        char *path = shared_path(name);
        if (!path) {
            skip_shared(name);
            return;
        }
        if (hst_tensors_read(path, &err) || err.code != HST_EMODEL)
            fail_msg("%s was not refused as it should be", path);
        assert_non_null(strstr(err.msg, bad[i])); /* names the file */
        free(path);
    }
    static const char *const good[] = {"terminal_escape_name", "nan_weights"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "fixtures/bad/st_%s.safetensors", good[i]);
        char *path = shared_path(name);
        hst_tensors *t = hst_tensors_read(path, &err);
        check_ok(t == NULL, &err);
        hst_tensors_free(t);
        free(path);
    }
}

/* Written by the format's own library: a small file, and a network where the shared data is. */
static void files_of_others_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *file, *tensor;
        size_t count;
    } cases[] = {{"golden/layers/add.safetensors", "x", 2 * 3 * 4 * 5},
                 {"fixtures/mobilenet_v2_1.0_224/timm/mobilenetv2_100/model.safetensors",
                  "conv_stem.weight", 32 * 3 * 3 * 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err err = {0};
        char *path = shared_path(cases[i].file);
        if (i > 0 && !path)
            continue;
        hst_tensors *t = hst_tensors_read(path, &err);
        check_ok(t == NULL, &err);
        const hst_tensor *n = hst_tensors_find(t, cases[i].tensor);
        assert_non_null(n);
        assert_int_equal(n->dtype, HST_F32);
        assert_int_equal(hst_tensor_count(n), cases[i].count);
        hst_tensors_free(t);
        free(path);
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    hst_err err = {0};
    assert_null(hst_tensors_read("/nowhere/x.safetensors", &err));
    assert_int_equal(err.code, HST_EMODEL);
    assert_non_null(strstr(err.msg, "/nowhere/x.safetensors"));
    assert_null(hst_tensors_read("/", &err));
    assert_non_null(strstr(err.msg, "folder"));
}

static void npy_header_is_numpys(void **state)
{
    (void)state;
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x.npy", &err);
    hst_out *o;
    check_ok(hst_out_open(&o, path, &err), &err);
    check_ok(hst_npy_header(o, 2, 3, 0, &err), &err);
    check_ok(hst_out_write(o, weights, 24, &err), &err);
    check_ok(hst_out_commit(o, &err), &err);
    hst_out_close(o);
    npy a = npy_read(path);
    assert_string_equal(a.type, "<f4");
    assert_int_equal(a.n_dims, 2);
    assert_int_equal(a.dim[0], 2);
    assert_int_equal(a.dim[1], 3);
    assert_memory_equal(a.data, weights, 24);
    free(a.data);
    remove_tree(dir);
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(equal_input_gives_equal_bytes),
        cmocka_unit_test(the_writer_refuses_what_no_reader_takes),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(rare_files_are_accepted),
        cmocka_unit_test(memory_stays_near_the_size_of_the_file),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(the_digest_leaves_out_one_key),
        cmocka_unit_test(halves_and_doubles_become_floats),
        cmocka_unit_test(hostile_files_get_their_verdict),
        cmocka_unit_test(files_of_others_are_read),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(npy_header_is_numpys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
