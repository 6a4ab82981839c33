/* tflite.c - TFLite: a FlatBuffer of operators and tensors, the weights behind it, and behind these
 * a zip archive with the labels. Field numbers are those of TensorFlow's schema.fbs. */
#include "exports/tflite.h"

#include "base/file.h"
#include "exports/narrow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 3, MOST_TEXT = 1 << 28, MOST_BYTES = 0x7fffffff, ALIGN = 16 };

enum {
    MODEL_VERSION = 0,
    MODEL_CODES = 1,
    MODEL_SUBGRAPHS = 2,
    MODEL_DESCRIPTION = 3,
    MODEL_BUFFERS = 4,
    MODEL_METADATA = 6,
    MODEL_SIGNATURES = 7,
    CODE_OLD = 0, /* as far as it fits a byte */
    CODE_VERSION = 2,
    CODE_BUILTIN = 3,
    GRAPH_TENSORS = 0,
    GRAPH_INPUTS = 1,
    GRAPH_OUTPUTS = 2,
    GRAPH_OPERATORS = 3,
    GRAPH_NAME = 4,
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_NAME = 3,
    TENSOR_QUANTISATION = 4,
    TENSOR_SIGNATURE = 7,
    TENSOR_HAS_RANK = 8,
    QUANTISATION_SCALE = 2,
    QUANTISATION_ZERO = 3,
    QUANTISATION_DIMENSION = 6,
    OPERATOR_CODE = 0,
    OPERATOR_INPUTS = 1,
    OPERATOR_OUTPUTS = 2,
    OPERATOR_OPTIONS_TYPE = 3,
    OPERATOR_OPTIONS = 4,
    BUFFER_DATA = 0,
    METADATA_NAME = 0,
    METADATA_BUFFER = 1,
    SIGNATURE_INPUTS = 0,
    SIGNATURE_OUTPUTS = 1,
    SIGNATURE_KEY = 2,
    SIGNATURE_GRAPH = 4,
    MAP_NAME = 0,
    MAP_TENSOR = 1
};

/* ---- numbers of constants ---- */

static size_t count_of(const hst_tfl_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= (size_t)t->dim[i];
    return n;
}

static size_t width_of(const hst_tfl_tensor *t)
{
    return t->type == HST_TFL_I8 || t->type == HST_TFL_U8 ? 1 : t->type == HST_TFL_F16 ? 2 : 4;
}

static size_t bytes_of(const hst_tfl_tensor *t)
{
    return count_of(t) * width_of(t);
}

static void put(const hst_tfl_tensor *t, void *out, size_t at, float x, size_t channel)
{
    const float scale = t->n_scales ? t->scale[t->n_scales > 1 ? channel : 0] : 1;
    if (t->type == HST_TFL_I8)
        ((int8_t *)out)[at] = (int8_t)hst_steps_of(x, scale, t->zero, -128, 127);
    else if (t->type == HST_TFL_I32)
        ((int32_t *)out)[at] = hst_steps_of(x, scale, 0, -INT32_MAX, INT32_MAX);
    else if (t->type == HST_TFL_F16)
        ((uint16_t *)out)[at] = hst_half_of(x);
    else
        ((float *)out)[at] = x;
}

/* The numbers of a tensor in the file's order and type. */
static void fill(const hst_tfl_tensor *t, void *out)
{
    const size_t n = count_of(t), channels = t->n_dims ? (size_t)t->dim[t->channel] : 1;
    const size_t rows = n / channels;
    if (t->turned)
        for (size_t c = 0; c < channels; c++)
            for (size_t r = 0; r < rows; r++)
                put(t, out, c * rows + r, t->data[r * channels + c], c);
    else
        for (size_t i = 0; i < n; i++)
            put(t, out, i, t->data[i], i % channels);
}

/* ---- what is written ---- */

/* Constants lie behind the FlatBuffer's head; the place of each one's offset in it. */
typedef struct blob {
    size_t ref, at; /* of its length, in the file */
    const hst_tfl_tensor *tensor;
} blob;

typedef struct file {
    hst_tfl *g;
    const hst_exporting *x;
    const char *output; /* name of the result */
    hst_fb b, metadata;
    blob *blob; /* [tensors] */
    size_t n_blobs;
    size_t bytes; /* of head and blobs */
} file;

/* ---- operators ---- */

/* BuiltinOptions: which table goes with an operator's options. */
static int options_type(enum hst_tfl_code code)
{
    static const struct {
        enum hst_tfl_code code;
        int type;
    } rows[] = {{HST_TFL_CONV_2D, 1},
                {HST_TFL_DEPTHWISE_CONV_2D, 2},
                {HST_TFL_AVERAGE_POOL_2D, 5},
                {HST_TFL_MAX_POOL_2D, 5},
                {HST_TFL_FULLY_CONNECTED, 8},
                {HST_TFL_SOFTMAX, 9},
                {HST_TFL_CONCATENATION, 10},
                {HST_TFL_ADD, 11},
                {HST_TFL_MUL, 21},
                {HST_TFL_MEAN, 27},
                {HST_TFL_SUB, 28},
                {HST_TFL_SPLIT, 35},
                {HST_TFL_BATCH_MATMUL, 101},
                {HST_TFL_GELU, 116}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code)
            return rows[i].type;
    return 0;
}

/* The number of the operator's code among those of the file. */
static int code_of(const hst_tfl_op *op, const hst_tfl_op **of, int *n)
{
    for (int i = 0; i < *n; i++)
        if (of[i]->code == op->code && of[i]->version == op->version)
            return i;
    of[(*n)++] = op;
    return *n - 1;
}

enum { MOST_CODES = 64 }; /* more than there are operators and versions of them here */

static void codes(hst_fb *b, size_t ref, const hst_tfl_op *const *of, int n)
{
    const size_t first = hst_fb_refs(b, ref, (size_t)n);
    for (int i = 0; i < n; i++)
        HST_FB_TABLE(b, first + 4 * (size_t)i, NULL,
                     hst_fb_byte(CODE_OLD, of[i]->code < 127 ? (int)of[i]->code : 127),
                     hst_fb_int(CODE_VERSION, of[i]->version),
                     hst_fb_int(CODE_BUILTIN, of[i]->code));
}

static void operator(hst_fb *b, size_t ref, const hst_tfl_op *op, int code)
{
    size_t r[5];
    const int type = options_type(op->code);
    hst_fb_field field[5] = {hst_fb_int(OPERATOR_CODE, code), hst_fb_ref(OPERATOR_INPUTS),
                             hst_fb_ref(OPERATOR_OUTPUTS), hst_fb_byte(OPERATOR_OPTIONS_TYPE, type),
                             hst_fb_ref(OPERATOR_OPTIONS)};
    hst_fb_table(b, ref, field, type ? 5 : 3, r);
    hst_fb_vector(b, r[1], op->in, (size_t)op->n_in, 4, 4);
    hst_fb_vector(b, r[2], op->out, (size_t)op->n_out, 4, 4);
    if (type)
        hst_fb_table(b, r[4], op->option, op->n_options, NULL);
}

static void operators(file *f, size_t ref, size_t ref_codes)
{
    const hst_tfl_op *of[MOST_CODES];
    int n = 0;
    const size_t first = hst_fb_refs(&f->b, ref, f->g->n_ops);
    for (size_t i = 0; i < f->g->n_ops; i++)
        operator(&f->b, first + 4 * i, &f->g->op[i], code_of(&f->g->op[i], of, &n));
    codes(&f->b, ref_codes, of, n);
}

/* ---- tensors ---- */

/* Scales, and zeros to go with them: all tensors with as many share these. */
static void quantisation(file *f, size_t ref, const hst_tfl_tensor *t, size_t *zeros)
{
    size_t r[3];
    HST_FB_TABLE(&f->b, ref, r, hst_fb_ref(QUANTISATION_SCALE), hst_fb_ref(QUANTISATION_ZERO),
                 hst_fb_int(QUANTISATION_DIMENSION, t->channel));
    hst_fb_vector(&f->b, r[0], t->scale, t->n_scales, sizeof *t->scale, 4);
    *zeros = r[1];
}

static int has_batch(const hst_tfl_tensor *t)
{
    return !hst_tfl_is_constant(t) && !t->is_weight;
}

static void one_tensor(file *f, size_t ref, const hst_tfl_tensor *t, int buffer, size_t *zeros)
{
    const int open = has_batch(t) && f->x->ends.batch == 0, scaled = t->n_scales > 0;
    int32_t dim[HST_TFL_DIMS];
    size_t r[7];
    hst_fb_field field[7] = {hst_fb_ref(TENSOR_SHAPE), hst_fb_byte(TENSOR_TYPE, t->type),
                             hst_fb_int(TENSOR_BUFFER, buffer), hst_fb_ref(TENSOR_NAME),
                             hst_fb_byte(TENSOR_HAS_RANK, 1)};
    int n = 5;
    if (scaled || open)
        field[n++] = (hst_fb_field)hst_fb_ref(scaled ? TENSOR_QUANTISATION : TENSOR_SIGNATURE);
    memcpy(dim, t->dim, sizeof dim);
    hst_fb_table(&f->b, ref, field, n, r);
    if (has_batch(t) && !open)
        dim[0] *= f->x->ends.batch;
    hst_fb_vector(&f->b, r[0], dim, (size_t)t->n_dims, 4, 4);
    hst_fb_text(&f->b, r[3], t->name);
    dim[0] = -1;
    if (open)
        hst_fb_vector(&f->b, r[5], dim, (size_t)t->n_dims, 4, 4);
    if (scaled)
        quantisation(f, r[5], t, zeros);
}

/* zeros[n_tensors]: where the offsets of zero points are, 0 of a tensor without. */
static void zero_points(file *f, size_t *zeros)
{
    for (size_t i = 0; i < f->g->n_tensors; i++) {
        if (!zeros[i])
            continue;
        const size_t n = f->g->tensor[i].n_scales;
        const int64_t zero = f->g->tensor[i].zero;
        hst_fb_pad(&f->b, 4, sizeof zero);
        const size_t at = f->b.bytes.n;
        const uint32_t count = (uint32_t)n;
        hst_buf_add(&f->b.bytes, &count, sizeof count);
        for (size_t k = 0; k < n; k++)
            hst_buf_add(&f->b.bytes, &zero, sizeof zero);
        for (size_t k = i; k < f->g->n_tensors; k++)
            if (zeros[k] && f->g->tensor[k].n_scales == n && f->g->tensor[k].zero == zero) {
                hst_fb_point(&f->b, zeros[k], at);
                zeros[k] = 0;
            }
    }
}

/* A constant has a buffer of its own, behind the empty one that all others have. */
static int tensors(file *f, size_t ref, hst_err *err)
{
    const size_t n = f->g->n_tensors, first = hst_fb_refs(&f->b, ref, n);
    size_t *zeros = hst_alloc(n, sizeof *zeros, err);
    int buffer = 0;
    if (!zeros)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        const hst_tfl_tensor *t = &f->g->tensor[i];
        const int constant = hst_tfl_is_constant(t);
        buffer += constant;
        one_tensor(f, first + 4 * i, t, constant ? buffer : 0, &zeros[i]);
    }
    zero_points(f, zeros);
    free(zeros);
    return 0;
}

/* ---- the rest of the head ---- */

static void subgraph(file *f, size_t ref, size_t ref_codes)
{
    size_t r[5];
    const hst_tfl *g = f->g;
    HST_FB_TABLE(&f->b, hst_fb_refs(&f->b, ref, 1), r, hst_fb_ref(GRAPH_TENSORS),
                 hst_fb_ref(GRAPH_INPUTS), hst_fb_ref(GRAPH_OUTPUTS), hst_fb_ref(GRAPH_OPERATORS),
                 hst_fb_ref(GRAPH_NAME));
    f->g->rc = tensors(f, r[0], g->err);
    hst_fb_vector(&f->b, r[1], &g->input, 1, 4, 4);
    hst_fb_vector(&f->b, r[2], &g->output, 1, 4, 4);
    operators(f, r[3], ref_codes);
    hst_fb_text(&f->b, r[4], "main");
}

static void named_tensor(hst_fb *b, size_t ref, const char *name, int tensor)
{
    size_t r[2];
    HST_FB_TABLE(b, hst_fb_refs(b, ref, 1), r, hst_fb_ref(MAP_NAME),
                 hst_fb_int(MAP_TENSOR, tensor));
    hst_fb_text(b, r[0], name);
}

static void signature(file *f, size_t ref)
{
    size_t r[4];
    HST_FB_TABLE(&f->b, hst_fb_refs(&f->b, ref, 1), r, hst_fb_ref(SIGNATURE_INPUTS),
                 hst_fb_ref(SIGNATURE_OUTPUTS), hst_fb_ref(SIGNATURE_KEY),
                 hst_fb_int(SIGNATURE_GRAPH, 0));
    named_tensor(&f->b, r[0], "image", f->g->input);
    named_tensor(&f->b, r[1], f->output, f->g->output);
    hst_fb_text(&f->b, r[2], "serving_default");
}

static void metadata(hst_fb *b, size_t ref, const char *name, int buffer)
{
    size_t r[2];
    HST_FB_TABLE(b, ref, r, hst_fb_ref(METADATA_NAME), hst_fb_int(METADATA_BUFFER, buffer));
    hst_fb_text(b, r[0], name);
}

/* Buffers: the empty one, constants, which come later, and two of what the file says of itself. */
static int buffers(file *f, size_t ref)
{
    hst_fb *b = &f->b;
    int constants = 0;
    for (size_t i = 0; i < f->g->n_tensors; i++)
        constants += hst_tfl_is_constant(&f->g->tensor[i]);
    size_t at = hst_fb_refs(b, ref, (size_t)constants + 3), r[1];
    hst_fb_table(b, at, NULL, 0, NULL);
    for (size_t i = 0; i < f->g->n_tensors; i++) {
        const hst_tfl_tensor *t = &f->g->tensor[i];
        if (!hst_tfl_is_constant(t))
            continue;
        HST_FB_TABLE(b, at += 4, r, hst_fb_ref(BUFFER_DATA));
        f->blob[f->n_blobs++] = (blob){.ref = r[0], .tensor = t};
    }
    HST_FB_TABLE(b, at += 4, r, hst_fb_ref(BUFFER_DATA));
    hst_fb_vector(b, r[0], f->metadata.bytes.p, f->metadata.bytes.n, 1, ALIGN);
    HST_FB_TABLE(b, at += 4, r, hst_fb_ref(BUFFER_DATA));
    hst_fb_vector(b, r[0], f->x->about->model, strlen(f->x->about->model), 1, ALIGN);
    return constants;
}

static void head(file *f)
{
    size_t r[7];
    hst_fb *b = &f->b;
    hst_tfl_metadata(&f->metadata, f->x, f->output);
    HST_FB_TABLE(b, hst_fb_begin(b, "TFL3"), r, hst_fb_int(MODEL_VERSION, VERSION),
                 hst_fb_ref(MODEL_CODES), hst_fb_ref(MODEL_SUBGRAPHS),
                 hst_fb_ref(MODEL_DESCRIPTION), hst_fb_ref(MODEL_BUFFERS),
                 hst_fb_ref(MODEL_METADATA), hst_fb_ref(MODEL_SIGNATURES));
    subgraph(f, r[2], r[1]);
    hst_fb_text(b, r[3], "exported by headstart");
    const int constants = buffers(f, r[4]);
    const size_t list = hst_fb_refs(b, r[5], 2);
    metadata(b, list, "TFLITE_METADATA", constants + 1);
    metadata(b, list + 4, "headstart", constants + 2);
    signature(f, r[6]);
}

/* ---- the file ---- */

/* Where each constant goes, so that its numbers begin at a multiple of ALIGN. */
static int place(file *f, hst_err *err)
{
    uint64_t at = f->b.bytes.n;
    for (size_t i = 0; i < f->n_blobs; i++) {
        blob *c = &f->blob[i];
        at = (at + 4 + ALIGN - 1) / ALIGN * ALIGN - 4;
        c->at = (size_t)at;
        hst_fb_point(&f->b, c->ref, c->at);
        at += 4 + bytes_of(c->tensor);
        if (at > MOST_BYTES)
            return hst_fail(err, HST_EUNSUP,
                            "the network is too large for a TFLite file, whose limit is 2 GB: "
                            "--weights float16 halves it");
    }
    f->bytes = (size_t)at;
    return 0;
}

static int write_blob(hst_out *out, const blob *c, size_t *at, hst_err *err)
{
    static const char zeros[ALIGN];
    const size_t n = count_of(c->tensor), bytes = bytes_of(c->tensor);
    const uint32_t length = (uint32_t)bytes;
    const hst_tfl_tensor *t = c->tensor;
    const int as_it_is = t->data && t->type == HST_TFL_F32 && !t->turned;
    void *made = t->data && !as_it_is ? hst_alloc_raw(n, width_of(t), err) : NULL;
    if (t->data && !as_it_is && !made)
        return HST_EMEM;
    if (made)
        fill(t, made);
    const void *numbers = made ? made : t->data ? (const void *)t->data : (const void *)t->whole;
    int rc = hst_out_write(out, zeros, c->at - *at, err);
    rc = rc ? rc : hst_out_write(out, &length, sizeof length, err);
    rc = rc ? rc : hst_out_write(out, numbers, bytes, err);
    *at = c->at + 4 + bytes;
    free(made);
    return rc;
}

static int write_all(file *f, hst_err *err)
{
    static const char zeros[4];
    hst_buf zip = HST_BUF(MOST_TEXT);
    hst_out *out = NULL;
    size_t at = f->b.bytes.n;
    const size_t rest = (4 - f->bytes % 4) % 4;
    if (f->x->model->target != HST_TARGET_NUMBER)
        hst_tfl_zip(&zip, f->bytes + rest, HST_TFL_LABELS, f->x->about->lines);
    int rc = hst_buf_check(&zip, err);
    rc = rc ? rc : hst_out_open(&out, f->x->path, err);
    rc = rc ? rc : hst_out_write(out, f->b.bytes.p, f->b.bytes.n, err);
    for (size_t i = 0; rc == 0 && i < f->n_blobs; i++)
        rc = write_blob(out, &f->blob[i], &at, err);
    rc = rc ? rc : hst_out_write(out, zeros, rest, err);
    rc = rc ? rc : hst_out_write(out, zip.n ? zip.p : "", zip.n, err);
    rc = rc ? rc : hst_out_commit(out, err);
    hst_out_close(out);
    hst_buf_free(&zip);
    return rc;
}

static int write_graph(hst_tfl *g, const hst_exporting *x, const char *output, hst_err *err)
{
    file f = {
        .g = g, .x = x, .output = output, .b = HST_FB(MOST_TEXT), .metadata = HST_FB(MOST_TEXT)};
    f.blob = hst_alloc(g->n_tensors, sizeof *f.blob, err);
    int rc = f.blob ? 0 : HST_EMEM;
    if (rc == 0) {
        head(&f);
        rc = g->rc;
    }
    rc = rc ? rc : hst_buf_check(&f.metadata.bytes, err);
    rc = rc ? rc : hst_buf_check(&f.b.bytes, err);
    rc = rc ? rc : place(&f, err);
    rc = rc ? rc : write_all(&f, err);
    free(f.blob);
    hst_buf_free(&f.metadata.bytes);
    hst_buf_free(&f.b.bytes);
    return rc;
}

static int write_file(const hst_exporting *x, hst_err *err)
{
    hst_tfl g = {.err = err, .arena = hst_arena_new(err)};
    const int raw = x->ends.logits && x->model->target != HST_TARGET_NUMBER;
    const char *output = x->model->target == HST_TARGET_NUMBER ? "number"
                         : raw                                 ? "logits"
                                                               : "probabilities";
    int rc = g.arena ? hst_tfl_steps(&g, x, output) : HST_EMEM;
    if (rc == 0 && x->range)
        rc = hst_tfl_quantise(&g, x);
    rc = rc ? rc : write_graph(&g, x, output, err);
    free(g.tensor);
    free(g.op);
    hst_arena_free(g.arena);
    return rc;
}

/* 8 bits are computed with as the runtime does it: only that can tell what they give. */
static int ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    if (x->weights != HST_WEIGHTS_INT8)
        return hst_ask_read_back(x, p, how, err);
    snprintf(how, 96, "in 8 bits it computes as its runtime does, which --check asks");
    return 0;
}

static const char script[] = "import numpy\n"
                             "if find_spec('ai_edge_litert'):\n"
                             "    import ai_edge_litert as m, ai_edge_litert.interpreter as t\n"
                             "elif find_spec('tflite_runtime'):\n"
                             "    import tflite_runtime as m, tflite_runtime.interpreter as t\n"
                             "else:\n"
                             "    import tensorflow as m\n"
                             "    t = m.lite\n"
                             "i = t.Interpreter(model_path=sys.argv[1])\n"
                             "a = i.get_input_details()[0]\n"
                             "n = a['shape'][0]\n"
                             "i.allocate_tensors()\n"
                             "o = i.get_output_details()[0]\n"
                             "s, z = a['quantization']\n"
                             "x = numpy.load(sys.argv[2]).reshape([-1, *a['shape'][1:]])\n"
                             "x = (x / s + z if s else x).astype(a['dtype'])\n"
                             "pad = (-len(x)) % n\n"
                             "x = numpy.concatenate([x, x[:1].repeat(pad, 0)])\n"
                             "y = []\n"
                             "for k in range(0, len(x), n):\n"
                             "    i.set_tensor(a['index'], x[k:k + n])\n"
                             "    i.invoke()\n"
                             "    y.append(i.get_tensor(o['index']).copy())\n"
                             "y = numpy.concatenate(y)[:len(x) - pad].astype('<f4')\n"
                             "s, z = o['quantization']\n"
                             "(s * (y - z) if s else y).astype('<f4').tofile(sys.argv[3])\n"
                             "print(m.__name__, getattr(m, '__version__', ''))\n";

const hst_exporter hst_exporter_tflite = {
    .name = "tflite",
    .suffix = ".tflite",
    .summary = "LiteRT (TensorFlow Lite): Android, iOS, MediaPipe, ML Kit",
    .tolerance = 1e-4,
    .usual = {.uint8 = 1},
    .can = {.uint8 = 1, .int8 = 1, .logits = 1, .batch = 1},
    .weights = 1 << HST_WEIGHTS_FLOAT16 | 1 << HST_WEIGHTS_INT8,
    .calibrates = 1,
    .needs_ranges = 1,
    .write = write_file,
    .ask = ask,
    .module = "ai_edge_litert or tflite_runtime or tensorflow",
    .script = script};
