#include "tflite_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 20000, MAX_OPERATORS = 20000, MAX_DIMS = 8, MAX_NAME = 1000 };

/* Fields of the schema's tables, by their numbers. */
enum {
    MODEL_VERSION = 0,
    MODEL_CODES = 1,
    MODEL_SUBGRAPHS = 2,
    MODEL_BUFFERS = 4,
    MODEL_METADATA = 6
};
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OPERATORS = 3 };
enum {
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_NAME = 3,
    TENSOR_QUANTIZATION = 4
};
enum { QUANT_SCALE = 2, QUANT_ZERO_POINT = 3, QUANT_DIMENSION = 6 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1 };
enum { CODE_OLD = 0, CODE_BUILTIN = 3, OPERATOR_CODE = 0 };
enum { METADATA_NAME = 0, METADATA_BUFFER = 1 };
/* Of metadata_schema.fbs. */
enum { META_SUBGRAPHS = 3, META_INPUTS = 2, META_UNITS = 4, UNIT_TYPE = 0, UNIT_OPTIONS = 1 };
enum { NORMALIZATION = 1, NORM_MEAN = 0, NORM_STD = 1 };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TFLite file is refused: %s", why);
}

static int read_name(tflite_file *f, fb_table table, hst_arena *arena, hst_tensor *t, hst_err *err)
{
    bytes name = fb_text(&f->b, table, TENSOR_NAME);
    if (name.n > MAX_NAME || memchr(name.p, 0, name.n))
        return refuse(err, "a tensor's name is no usable text");
    char *copy = hst_arena_alloc(arena, name.n + 1, 1, err);
    if (!copy)
        return HST_EMEM;
    memcpy(copy, name.p, name.n);
    t->name = copy;
    return 0;
}

static size_t type_bytes(int type, enum hst_dtype *dtype)
{
    static const struct {
        int type;
        enum hst_dtype dtype;
    } types[] = {{TFLITE_F32, HST_F32}, {TFLITE_F16, HST_F16}, {TFLITE_I32, HST_I32},
                 {TFLITE_U8, HST_U8},   {TFLITE_I64, HST_I64}, {TFLITE_I8, HST_I8}};
    *dtype = HST_OTHER;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            *dtype = types[i].dtype;
    return hst_dtype_bytes(*dtype);
}

/* The data of a tensor, if its buffer has any; it must be as long as shape and type say. */
static int read_data(tflite_file *f, int64_t buffer, tflite_tensor *t, hst_err *err)
{
    if (buffer < 0 || (uint64_t)buffer >= f->buffers.n)
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' lies in buffer %lld of %zu", t->t.name,
                        (long long)buffer, f->buffers.n);
    fb_table table = fb_item(&f->b, f->buffers, (size_t)buffer);
    bytes data = fb_text(&f->b, table, BUFFER_DATA);
    int rc = fb_check(&f->b, err);
    if (rc || data.n == 0)
        return rc;
    if (fb_int(&f->b, table, BUFFER_OFFSET, 8, 0))
        return refuse(err, "a buffer lies behind the model");
    size_t want = type_bytes(t->type, &t->t.dtype);
    if (!want)
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' has numbers of type %d", t->t.name,
                        t->type);
    for (int i = 0; i < t->t.n_dims; i++)
        if (!hst_mul_ok(want, (size_t)t->t.dim[i], &want))
            return hst_fail(err, HST_EMODEL, "tensor '%.200s': its shape overflows", t->t.name);
    if (data.n != want)
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' has %zu bytes, its shape says %zu",
                        t->t.name, data.n, want);
    t->t.data = data.p;
    t->t.n_bytes = want;
    t->constant = 1;
    return 0;
}

static int read_tensor(tflite_file *f, fb_table table, hst_arena *arena, tflite_tensor *t,
                       hst_err *err)
{
    fb *b = &f->b;
    fb_vector shape = fb_list(b, table, TENSOR_SHAPE, 4);
    fb_table q = fb_child(b, table, TENSOR_QUANTIZATION);
    *t = (tflite_tensor){.value = -1};
    t->type = (int)fb_int(b, table, TENSOR_TYPE, 1, TFLITE_F32);
    t->scale = fb_list(b, q, QUANT_SCALE, 4);
    t->zero_point = fb_list(b, q, QUANT_ZERO_POINT, 8);
    t->channel_dim = fb_int(b, q, QUANT_DIMENSION, 4, 0);
    int64_t buffer = fb_int(b, table, TENSOR_BUFFER, 4, 0);
    int rc = read_name(f, table, arena, &t->t, err);
    rc = rc ? rc : fb_check(b, err);
    if (rc)
        return rc;
    if (shape.n > MAX_DIMS)
        return refuse(err, "a tensor has more than 8 dimensions");
    t->t.n_dims = (int)shape.n;
    for (size_t i = 0; i < shape.n; i++) {
        t->t.dim[i] = fb_i32(b, shape, i);
        if (t->t.dim[i] < 0)
            return hst_fail(err, HST_EMODEL, "tensor '%.200s' has a dimension of %lld", t->t.name,
                            (long long)t->t.dim[i]);
    }
    return read_data(f, buffer, t, err);
}

static int read_tensors(tflite_file *f, fb_vector tensors, hst_arena *arena, hst_err *err)
{
    if (tensors.n > MAX_TENSORS || f->operators.n > MAX_OPERATORS)
        return refuse(err, "it has too many tensors or operators");
    f->tensor = hst_arena_alloc(arena, tensors.n, sizeof *f->tensor, err);
    if (!f->tensor)
        return HST_EMEM;
    for (; f->n < tensors.n; f->n++) {
        int rc = read_tensor(f, fb_item(&f->b, tensors, f->n), arena, &f->tensor[f->n], err);
        if (rc)
            return rc;
    }
    return 0;
}

int tflite_open(tflite_file *f, bytes file, hst_arena *arena, hst_err *err)
{
    *f = (tflite_file){.b = {.all = file}};
    fb *b = &f->b;
    if (file.n < 8 || memcmp(file.p + 4, "TFL3", 4) != 0)
        return refuse(err, "it is none");
    f->model = fb_root(b);
    f->codes = fb_list(b, f->model, MODEL_CODES, 4);
    f->buffers = fb_list(b, f->model, MODEL_BUFFERS, 4);
    fb_vector graphs = fb_list(b, f->model, MODEL_SUBGRAPHS, 4);
    int64_t version = fb_int(b, f->model, MODEL_VERSION, 4, 0);
    int rc = fb_check(b, err);
    if (rc)
        return rc;
    if (version != 3 || graphs.n < 1)
        return refuse(err, "its version is not 3, or it has no graph");
    for (size_t i = 0; i < f->buffers.n && !b->bad; i++)
        (void)fb_item(b, f->buffers, i); /* also those that nothing here uses */
    fb_table graph = fb_item(b, graphs, 0);
    fb_vector inputs = fb_list(b, graph, GRAPH_INPUTS, 4);
    fb_vector tensors = fb_list(b, graph, GRAPH_TENSORS, 4);
    f->operators = fb_list(b, graph, GRAPH_OPERATORS, 4);
    f->input = fb_i32(b, inputs, 0);
    rc = fb_check(b, err);
    rc = rc ? rc : read_tensors(f, tensors, arena, err);
    if (rc == 0 && (inputs.n != 1 || f->input < 0 || (size_t)f->input >= f->n))
        rc = refuse(err, "it has not one input");
    return rc;
}

/* Codes above 127 did not fit the first field; the larger of both is the code. */
int tflite_code(tflite_file *f, fb_table operator, int * code, hst_err *err)
{
    int64_t index = fb_int(&f->b, operator, OPERATOR_CODE, 4, 0);
    int rc = fb_check(&f->b, err);
    if (rc)
        return rc;
    if (index < 0 || (uint64_t)index >= f->codes.n)
        return hst_fail(err, HST_EMODEL, "the TFLite file is refused: operator code %lld of %zu",
                        (long long)index, f->codes.n);
    fb_table t = fb_item(&f->b, f->codes, (size_t)index);
    int64_t old = fb_int(&f->b, t, CODE_OLD, 1, 0), new = fb_int(&f->b, t, CODE_BUILTIN, 4, 0);
    *code = (int)(old > new ? old : new);
    return fb_check(&f->b, err);
}

/* The zero point that goes with scale i. */
static int64_t zero_point(const tflite_file *f, const tflite_tensor *t, size_t i)
{
    return t->zero_point.n ? (int64_t)le64(f->b.all.p + t->zero_point.at + 8 * i) : 0;
}

static int64_t whole_number(const tflite_tensor *t, size_t i)
{
    switch (t->type) {
    case TFLITE_U8:
        return ((const uint8_t *)t->t.data)[i];
    case TFLITE_I8:
        return ((const int8_t *)t->t.data)[i];
    default:
        return (int32_t)le32((const uint8_t *)t->t.data + 4 * i);
    }
}

static int is_quantised(const tflite_tensor *t)
{
    return t->scale.n && (t->type == TFLITE_U8 || t->type == TFLITE_I8 || t->type == TFLITE_I32);
}

/* value = (q - zero_point) * scale, both for the whole tensor or along one dimension. */
static int scale_up(const tflite_file *f, const tflite_tensor *t, float *out, hst_err *err)
{
    size_t count = hst_tensor_count(&t->t), inner = 1;
    int64_t d = t->channel_dim;
    int one = t->scale.n == 1;
    if (!one && (d < 0 || d >= t->t.n_dims || t->scale.n != (size_t)t->t.dim[d]))
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' has %zu scales, which fit no dimension",
                        t->t.name, t->scale.n);
    if (t->zero_point.n && t->zero_point.n != t->scale.n)
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' has %zu scales and %zu zero points",
                        t->t.name, t->scale.n, t->zero_point.n);
    for (size_t i = 0; i < t->zero_point.n; i++)
        if (zero_point(f, t, i) < INT8_MIN || zero_point(f, t, i) > UINT8_MAX)
            return hst_fail(err, HST_EMODEL, "tensor '%.200s' has a zero point of %lld", t->t.name,
                            (long long)zero_point(f, t, i));
    for (int i = t->t.n_dims; !one && i-- > d + 1;)
        inner *= (size_t)t->t.dim[i];
    for (size_t i = 0; i < count; i++) {
        const size_t s = one ? 0 : i / inner % t->scale.n;
        /* both factors are exact in double, and the product is rounded once */
        out[i] = (float)((double)(whole_number(t, i) - zero_point(f, t, s)) *
                         (double)fb_f32(&f->b, t->scale, s));
    }
    return 0;
}

int tflite_floats(const void *from, float *out, hst_err *err)
{
    const tflite_numbers *n = from;
    const tflite_tensor *t = n->t;
    if (is_quantised(t))
        return scale_up(n->f, t, out, err);
    if (t->type != TFLITE_F32 && t->type != TFLITE_F16)
        return hst_fail(err, HST_EMODEL,
                        "tensor '%.200s' holds whole numbers where weights are expected",
                        t->t.name);
    hst_tensor aligned = t->t;
    void *copy = hst_alloc(t->t.n_bytes + 1, 1, err);
    if (!copy)
        return HST_EMEM;
    aligned.data = memcpy(copy, t->t.data, t->t.n_bytes);
    int rc = hst_tensor_floats(&aligned, out, err);
    free(copy);
    return rc;
}

/* An input of uint8 takes pixels as they are, one of int8 takes them less 128; the first
 * convolution sees scale * (number - zero point). */
int tflite_say_quantised_input(tflite_file *f, weights *w, hst_err *err)
{
    const tflite_tensor *in = &f->tensor[f->input];
    if ((in->type != TFLITE_U8 && in->type != TFLITE_I8) || in->scale.n != 1 ||
        in->zero_point.n > 1)
        return refuse(err, "its input is of whole numbers that are no pixels");
    const double scale = (double)fb_f32(&f->b, in->scale, 0);
    const int64_t mean = zero_point(f, in, 0) + (in->type == TFLITE_I8 ? 128 : 0);
    if (!(scale >= 1e-6 && scale <= 1e4) || mean < 0 || mean > 255)
        return hst_fail(err, HST_EMODEL, "the input has a scale of %g and a zero point of %lld",
                        scale, (long long)zero_point(f, in, 0));
    int rc = weights_say(w, err, "mean", "%d %d %d", (int)mean, (int)mean, (int)mean);
    return rc ? rc : weights_say(w, err, "std", "%.9g %.9g %.9g", 1 / scale, 1 / scale, 1 / scale);
}

/* ---- metadata ---- */

/* Three numbers, or one for all three channels. */
static int say_three(fb *b, fb_vector v, weights *w, const char *key, double low, hst_err *err)
{
    float x[3];
    for (size_t i = 0; i < 3; i++) {
        x[i] = fb_f32(b, v, v.n == 1 ? 0 : i);
        if (!(fabs((double)x[i]) <= 1e4) || (double)x[i] < low)
            return hst_fail(err, HST_EMODEL, "the metadata has a %s of %g", key, (double)x[i]);
    }
    return weights_say(w, err, key, "%.9g %.9g %.9g", (double)x[0], (double)x[1], (double)x[2]);
}

static int say_normalization(fb *b, weights *w, hst_err *err)
{
    fb_table root = fb_root(b);
    fb_vector graphs = fb_list(b, root, META_SUBGRAPHS, 4);
    fb_vector inputs = {0}, units = {0};
    if (graphs.n)
        inputs = fb_list(b, fb_item(b, graphs, 0), META_INPUTS, 4);
    if (inputs.n)
        units = fb_list(b, fb_item(b, inputs, 0), META_UNITS, 4);
    for (size_t i = 0; i < units.n && i < 16; i++) {
        fb_table unit = fb_item(b, units, i);
        if (fb_int(b, unit, UNIT_TYPE, 1, 0) != NORMALIZATION)
            continue;
        fb_table norm = fb_child(b, unit, UNIT_OPTIONS);
        fb_vector mean = fb_list(b, norm, NORM_MEAN, 4), std = fb_list(b, norm, NORM_STD, 4);
        if ((mean.n != 1 && mean.n != 3) || (std.n != 1 && std.n != 3) || b->bad)
            break;
        int rc = say_three(b, mean, w, "mean", -1e4, err);
        return rc ? rc : say_three(b, std, w, "std", 1e-4, err);
    }
    return fb_check(b, err);
}

/* The bytes of the file's metadata of that name; none: it has no such. */
static bytes find_metadata(tflite_file *f, const char *wanted)
{
    fb_vector list = fb_list(&f->b, f->model, MODEL_METADATA, 4);
    for (size_t i = 0; i < list.n && i < 64; i++) {
        fb_table m = fb_item(&f->b, list, i);
        bytes name = fb_text(&f->b, m, METADATA_NAME);
        int64_t buffer = fb_int(&f->b, m, METADATA_BUFFER, 4, 0);
        if (name.n != strlen(wanted) || memcmp(name.p, wanted, name.n) != 0)
            continue;
        fb_table table = fb_item(&f->b, f->buffers, buffer < 0 ? SIZE_MAX : (size_t)buffer);
        return fb_text(&f->b, table, BUFFER_DATA);
    }
    return (bytes){0};
}

int tflite_say_metadata(tflite_file *f, weights *w, hst_err *err)
{
    fb inner = {.all = find_metadata(f, "TFLITE_METADATA")};
    int rc = fb_check(&f->b, err);
    rc = rc || !inner.all.n ? rc : say_normalization(&inner, w, err);
    if (rc)
        hst_err_at(err, "metadata");
    return rc;
}

int tflite_say_model(tflite_file *f, weights *w, int *ours, hst_err *err)
{
    bytes json = find_metadata(f, "headstart");
    int rc = fb_check(&f->b, err);
    *ours = json.n > 0;
    return rc || !json.n ? rc : weights_say_model(w, (const char *)json.p, json.n, err);
}
