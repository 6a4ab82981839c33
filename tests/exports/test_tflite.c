/* What TFLite files are made of: FlatBuffers, read here by following offsets, narrow weights, and
 * whole files, whose weights are those of the program. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "exports/flatbuffer.h"
#include "exports/narrow.h"
#include "exports/tflite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static uint32_t u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint16_t u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static const uint8_t *follow(const uint8_t *p)
{
    return p + u32(p);
}

/* Field `id` of a table; NULL: it has none. */
static const uint8_t *field(const uint8_t *table, int id)
{
    const uint8_t *vtable = table - (int32_t)u32(table);
    const size_t at = (size_t)id * 2 + 4;
    assert_int_equal(((uintptr_t)table & 3), 0);
    return at < u16(vtable) && u16(vtable + at) ? table + u16(vtable + at) : NULL;
}

static const uint8_t *child(const uint8_t *table, int id)
{
    const uint8_t *p = field(table, id);
    assert_non_null(p);
    return follow(p);
}

/* Item i of a vector of tables. */
static const uint8_t *item(const uint8_t *vector, uint32_t i)
{
    assert_in_range(i, 0, u32(vector) - 1);
    return follow(vector + 4 + 4 * (size_t)i);
}

/* ---- the writer ---- */

static void what_was_written_is_found(void **state)
{
    (void)state;
    hst_fb b = HST_FB(10000);
    size_t r[7], inner[2];
    const int64_t numbers[] = {-1, 1LL << 40};
    const hst_fb_field fields[] = {{1, HST_FB_BYTE, 200, 0}, {3, HST_FB_REF, 0, 0},
                                   {4, HST_FB_LONG, -5, 0},  {5, HST_FB_FLOAT, 0, 1.5f},
                                   {7, HST_FB_REF, 0, 0},    {9, HST_FB_REF, 0, 0},
                                   {11, HST_FB_INT, 0, 0}};
    hst_fb_table(&b, hst_fb_begin(&b, "TEST"), fields, 7, r);
    hst_fb_text(&b, r[1], "text");
    const size_t list = hst_fb_refs(&b, r[4], 2);
    for (size_t i = 0; i < 2; i++)
        hst_fb_table(&b, list + 4 * i, (hst_fb_field[]){{0, HST_FB_INT, 70 + (int)i, 0}}, 1, inner);
    hst_fb_vector(&b, r[5], numbers, 2, sizeof *numbers, 16);
    uint8_t *p = aligned_alloc(64, 1024);
    assert_in_range(b.bytes.n, 1, 1024);
    memcpy(p, b.bytes.p, b.bytes.n);
    assert_memory_equal(p + 4, "TEST", 4);
    const uint8_t *t = follow(p);
    assert_null(field(t, 0));
    assert_null(field(t, 2));
    assert_null(field(t, 10));
    assert_null(field(t, 11)); /* 0 is what is read there */
    assert_int_equal(*field(t, 1), 200);
    assert_int_equal((field(t, 4) - p) % 8, 0);
    assert_true((u32(field(t, 4)) | (uint64_t)u32(field(t, 4) + 4) << 32) == (uint64_t)-5);
    const float real = 1.5f;
    assert_memory_equal(field(t, 5), &real, sizeof real);
    const uint8_t *text = child(t, 3);
    assert_int_equal(u32(text), 4);
    assert_string_equal(text + 4, "text");
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(u32(field(item(child(t, 7), i), 0)), 70 + i);
    const uint8_t *one = item(child(t, 7), 0), *other = item(child(t, 7), 1);
    assert_ptr_equal(one - u32(one), other - u32(other));
    const uint8_t *longs = child(t, 9);
    assert_int_equal(u32(longs), 2);
    assert_int_equal((longs + 4 - p) % 16, 0);
    assert_memory_equal(longs + 4, numbers, sizeof numbers);
    free(p);
    hst_buf_free(&b.bytes);
}

static void what_is_too_long_is_told(void **state)
{
    (void)state;
    hst_fb b = HST_FB(16);
    size_t r[1];
    hst_err err = {0};
    hst_fb_table(&b, hst_fb_begin(&b, "TEST"), (hst_fb_field[]){{0, HST_FB_REF, 0, 0}}, 1, r);
    hst_fb_text(&b, r[0], "longer than sixteen bytes");
    hst_fb_refs(&b, r[0], 3);
    assert_int_equal(hst_buf_check(&b.bytes, &err), HST_EMEM);
    hst_buf_free(&b.bytes);
}

/* ---- fewer bits ---- */

/* The value of a binary16, by its definition. */
static double value_of(uint16_t h)
{
    const int exponent = h >> 10 & 31, rest = h & 1023;
    const double v = exponent ? ldexp(1 + rest / 1024.0, exponent - 15) : ldexp(rest / 1024.0, -14);
    return h & 0x8000 ? -v : v;
}

static void halves_are_the_nearest(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) {
        const double low = value_of((uint16_t)h), high = value_of((uint16_t)(h + 1));
        const float middle = (float)((low + high) / 2); /* exact: it has 12 bits */
        assert_int_equal(hst_half_of((float)low), h);
        assert_int_equal(hst_half_of((float)-low), h | 0x8000);
        assert_int_equal(hst_half_of(middle), h & 1 ? h + 1 : h);
        assert_int_equal(hst_half_of(nextafterf(middle, 0)), h);
        assert_int_equal(hst_half_of(nextafterf(middle, 1e9f)), h + 1);
    }
    assert_int_equal(hst_half_of(65519), 0x7bff);
    assert_int_equal(hst_half_of(65520), 0x7c00);
    assert_int_equal(hst_half_of(-INFINITY), 0xfc00);
    assert_int_equal(hst_half_of(NAN) & 0x7fff, 0x7e00);
    assert_int_equal(hst_half_of(1e-30f), 0);
}

static void steps_of_8_bits(void **state)
{
    (void)state;
    const float x[] = {1, -2, 0.5f, 25.4f, -3, 7}, none[] = {0, 0};
    const float scale = hst_int8_scale(x, 3, 2); /* of 1, 0.5 and -3 */
    assert_true(fabsf(scale - 3.0f / 127) < 1e-8f);
    assert_int_equal(hst_int8_of(-3, scale), -127);
    assert_int_equal(hst_int8_of(25.4f, scale), 127);
    assert_int_equal(hst_int8_of(scale * 1.6f, scale), 2);
    assert_int_equal(hst_int8_of(-scale * 0.4f, scale), 0);
    assert_true(hst_int8_scale(none, 2, 1) == 1);
}

/* ---- files ---- */

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *backbone;
    hst_model *model;
    char *dir;
} scene;

static scene scene_make(void)
{
    static const char *const labels[] = {"a", "b", "c", "d"};
    scene s = {.ctx = made_up_ctx(1)};
    s.backbone = made_up_backbone(s.ctx, 1);
    s.model = made_up_model(s.backbone, labels, 4);
    s.dir = temporary_folder();
    return s;
}

static void scene_free(scene *s)
{
    hst_model_free(s->model);
    hst_backbone_free(s->backbone);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static uint8_t *exported(const scene *s, const char *weights, int batch, size_t *n)
{
    hst_err err = {0};
    hst_exported out = {.size = sizeof out};
    hst_export_opts o = hst_export_opts_default();
    uint8_t *bytes;
    char *path = hst_path_join(s->dir, "model.tflite", &err);
    o.format = "tflite";
    o.weights = weights;
    o.batch = batch;
    check_ok(hst_export(s->ctx, s->model, path, &o, &out, &err), &err);
    check_ok(hst_file_read(path, 1 << 26, HST_EIO, &bytes, n, &err), &err);
    assert_int_equal(out.bytes, *n);
    free(path);
    return bytes;
}

enum { SUBGRAPHS = 2, BUFFERS = 4, TENSORS = 0, SHAPE = 0, TYPE = 1, BUFFER = 2, NAME = 3 };
enum { QUANTISATION = 4, SIGNATURE = 7 };

/* The tensor of that name. */
static const uint8_t *tensor(const uint8_t *model, const char *name)
{
    const uint8_t *list = child(item(child(model, SUBGRAPHS), 0), TENSORS);
    for (uint32_t i = 0; i < u32(list); i++)
        if (strcmp((const char *)child(item(list, i), NAME) + 4, name) == 0)
            return item(list, i);
    fail_msg("there is no tensor '%s'", name);
    return NULL;
}

static const uint8_t *data_of(const uint8_t *model, const uint8_t *tensor)
{
    return child(item(child(model, BUFFERS), u32(field(tensor, BUFFER))), 0);
}

/* The head's kernel [classes][features] in all its types. */
static void heads_have_their_weights(void **state)
{
    (void)state;
    static const char *const types[] = {"float32", "float16", "int8"};
    scene s = scene_make();
    const int features = s.model->dim;
    for (int k = 0; k < 3; k++) {
        size_t n;
        uint8_t *bytes = exported(&s, types[k], 0, &n);
        const uint8_t *model = follow(bytes), *t = tensor(model, "head/kernel");
        const int type = field(t, TYPE) ? *field(t, TYPE) : HST_TFL_F32,
                  is_int8 = type == HST_TFL_I8;
        const uint8_t *data = data_of(model, t);
        const uint8_t *scale = is_int8 ? child(child(t, QUANTISATION), 2) : NULL;
        assert_int_equal((data + 4 - bytes) % 16, 0);
        if (is_int8)
            assert_int_equal(u32(child(child(t, QUANTISATION), 3)), 4); /* zero points */
        for (int c = 0; c < 4; c++)
            for (int f = 0; f < features; f++) {
                const size_t at = (size_t)(c * features + f);
                const double want = (double)s.model->kernel[f * 4 + c];
                float got, step = 0;
                if (scale)
                    memcpy(&step, scale + 4 + 4 * c, 4);
                memcpy(&got, data + 4 + 4 * at, type == HST_TFL_F32 ? 4 : 0);
                const double is = type == HST_TFL_F32   ? (double)got
                                  : type == HST_TFL_F16 ? value_of(u16(data + 4 + 2 * at))
                                                        : (int8_t)data[4 + at] * (double)step;
                assert_true(fabs(is - want) <=
                            (is_int8 ? (double)step * 0.5001 : 5e-4 * fabs(want)));
            }
        free(bytes);
    }
    scene_free(&s);
}

static void batches_are_open_or_fixed(void **state)
{
    (void)state;
    scene s = scene_make();
    for (int batch = 0; batch < 4; batch += 3) {
        size_t n;
        uint8_t *bytes = exported(&s, NULL, batch, &n);
        const uint8_t *in = tensor(follow(bytes), "image");
        assert_int_equal(*field(in, TYPE), HST_TFL_U8);
        assert_int_equal(u32(child(in, SHAPE)), 4);
        assert_int_equal(u32(child(in, SHAPE) + 4), batch ? batch : 1);
        if (batch == 0)
            assert_int_equal((int32_t)u32(child(in, SIGNATURE) + 4), -1);
        else
            assert_null(field(in, SIGNATURE));
        free(bytes);
    }
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_found), cmocka_unit_test(what_is_too_long_is_told),
        cmocka_unit_test(halves_are_the_nearest),    cmocka_unit_test(steps_of_8_bits),
        cmocka_unit_test(heads_have_their_weights),  cmocka_unit_test(batches_are_open_or_fixed),
    };
    return cmocka_run_group_tests_name("tflite", tests, NULL, NULL);
}
