/* A network of two layers in 8 bits: what the quantiser made of it is computed here with plain
 * loops, as LiteRT's quantisation specification says, and compared with the network itself. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "exports/narrow.h"
#include "exports/photos.h"
#include "exports/tflite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 5, OUT = 3, CHANNELS = 4, CLASSES = 3, TAPS = 9 };

/* 3 x 3 convolution with ReLU6, mean, dense layer, softmax. */
typedef struct network {
    float kernel[TAPS * 3 * CHANNELS], bias[CHANNELS]; /* [kh][kw][3][out] */
    float head[CHANNELS * CLASSES], shift[CLASSES];
    uint8_t pixel[SIDE * SIDE * 3];
    double map[OUT * OUT * CHANNELS], mean[CHANNELS], logit[CLASSES], prob[CLASSES];
} network;

static void softmax(const double *z, double *prob)
{
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum += exp(z[c]);
    for (int c = 0; c < CLASSES; c++)
        prob[c] = exp(z[c]) / sum;
}

static void network_make(network *n)
{
    for (uint32_t i = 0; i < TAPS * 3 * CHANNELS; i++)
        n->kernel[i] = (float)made_up_noise(1, i) * 0.005f;
    for (uint32_t i = 0; i < CHANNELS; i++)
        n->bias[i] = 1 + (float)made_up_noise(2, i);
    for (int i = 0; i < TAPS * 3; i++) /* a channel that sees nothing: its bias alone counts */
        n->kernel[i * CHANNELS + 2] = 0;
    for (uint32_t i = 0; i < CHANNELS * CLASSES; i++)
        n->head[i] = (float)made_up_noise(3, i) * 3;
    for (uint32_t i = 0; i < CLASSES; i++)
        n->shift[i] = (float)made_up_noise(4, i);
    for (uint32_t i = 0; i < SIDE * SIDE * 3; i++)
        n->pixel[i] = (uint8_t)((made_up_noise(5, i) + 0.5) * 255);
    for (int y = 0; y < OUT; y++)
        for (int x = 0; x < OUT; x++)
            for (int o = 0; o < CHANNELS; o++) {
                double sum = (double)n->bias[o];
                for (int t = 0; t < TAPS * 3; t++)
                    sum += n->pixel[((y + t / 9) * SIDE + x + t / 3 % 3) * 3 + t % 3] *
                           (double)n->kernel[t * CHANNELS + o];
                n->map[(y * OUT + x) * CHANNELS + o] = fmin(fmax(sum, 0), 6);
            }
    for (int o = 0; o < CHANNELS; o++) {
        n->mean[o] = 0;
        for (int i = 0; i < OUT * OUT; i++)
            n->mean[o] += n->map[i * CHANNELS + o] / (OUT * OUT);
    }
    for (int c = 0; c < CLASSES; c++) {
        n->logit[c] = (double)n->shift[c];
        for (int o = 0; o < CHANNELS; o++)
            n->logit[c] += n->mean[o] * (double)n->head[o * CLASSES + c];
    }
    softmax(n->logit, n->prob);
}

static int tensor(hst_tfl *g, const char *name, const int32_t *dim, int n, double least,
                  double most)
{
    hst_tfl_tensor t = {.name = name, .n_dims = n, .least = (float)least, .most = (float)most};
    memcpy(t.dim, dim, (size_t)n * sizeof *dim);
    return hst_tfl_tensor_add(g, &t);
}

static int constant(hst_tfl *g, const char *name, const int32_t *dim, int n, const float *data)
{
    hst_tfl_tensor t = {.name = name, .n_dims = n, .data = data, .turned = n > 1};
    memcpy(t.dim, dim, (size_t)n * sizeof *dim);
    return hst_tfl_tensor_add(g, &t);
}

static void operate(hst_tfl *g, enum hst_tfl_code code, const int in[3], int out)
{
    hst_tfl_op op = {.code = code, .out = {out}, .n_out = 1};
    for (; op.n_in < 3 && in[op.n_in] >= 0; op.n_in++)
        op.in[op.n_in] = in[op.n_in];
    hst_tfl_op_add(g, &op);
}

/* The ends of x[n], 0 among them. */
static void ends(const double *x, int n, double *least, double *most)
{
    *least = *most = 0;
    for (int i = 0; i < n; i++) {
        *least = fmin(*least, x[i]);
        *most = fmax(*most, x[i]);
    }
}

static void network_write(hst_tfl *g, const network *n)
{
    double least, most;
    g->input = tensor(g, "image", (int32_t[]){1, SIDE, SIDE, 3}, 4, 0, 255);
    g->tensor[g->input].type = HST_TFL_U8;
    const int image = tensor(g, "image/float", (int32_t[]){1, SIDE, SIDE, 3}, 4, 0, 255);
    operate(g, HST_TFL_CAST, (int[3]){g->input, -1}, image);
    ends(n->map, OUT * OUT * CHANNELS, &least, &most);
    const int map = tensor(g, "map", (int32_t[]){1, OUT, OUT, CHANNELS}, 4, least, most);
    operate(g, HST_TFL_CONV_2D,
            (int[3]){image, constant(g, "kernel", (int32_t[]){CHANNELS, 3, 3, 3}, 4, n->kernel),
                     constant(g, "bias", (int32_t[]){CHANNELS}, 1, n->bias)},
            map);
    ends(n->mean, CHANNELS, &least, &most);
    const int mean = tensor(g, "mean", (int32_t[]){1, CHANNELS}, 2, least, most);
    operate(g, HST_TFL_MEAN, (int[3]){map, hst_tfl_whole(g, (int32_t[]){1, 2}, 2), -1}, mean);
    ends(n->logit, CLASSES, &least, &most);
    const int logit = tensor(g, "logit", (int32_t[]){1, CLASSES}, 2, least, most);
    operate(g, HST_TFL_FULLY_CONNECTED,
            (int[3]){mean, constant(g, "head", (int32_t[]){CLASSES, CHANNELS}, 2, n->head),
                     constant(g, "shift", (int32_t[]){CLASSES}, 1, n->shift)},
            logit);
    g->output = tensor(g, "probabilities", (int32_t[]){1, CLASSES}, 2, 0, 0);
    operate(g, HST_TFL_SOFTMAX, (int[3]){logit, -1}, g->output);
}

/* ---- a reference interpreter ---- */

static double value_of(const hst_tfl_tensor *t, int32_t q)
{
    return ((double)q - t->zero) * (double)t->scale[0];
}

static int32_t step_of(const hst_tfl_tensor *t, double v)
{
    const double q = round(v / (double)t->scale[0]) + t->zero;
    const double least = t->type == HST_TFL_U8 ? 0 : -128, most = least + 255;
    return (int32_t)fmin(fmax(q, least), most);
}

/* Sums of whole numbers: rows of x[n] by a kernel whose data has the outputs last. */
static void product(const hst_tfl *g, const hst_tfl_op *op, const int32_t *x, int n, int o,
                    int32_t *out)
{
    const hst_tfl_tensor *in = &g->tensor[op->in[0]], *w = &g->tensor[op->in[1]];
    const hst_tfl_tensor *b = &g->tensor[op->in[2]], *y = &g->tensor[op->out[0]];
    const int outs = w->dim[0];
    assert_int_equal(w->type, HST_TFL_I8);
    assert_int_equal(b->type, HST_TFL_I32);
    assert_int_equal(w->n_scales, outs);
    assert_int_equal(w->zero | b->zero, 0);
    assert_true(fabs((double)b->scale[o] / ((double)in->scale[0] * (double)w->scale[o]) - 1) <
                1e-6);
    int64_t sum = hst_steps_of(b->data[o], b->scale[o], 0, -INT32_MAX, INT32_MAX);
    for (int i = 0; i < n; i++)
        sum += (int64_t)(x[i] - in->zero) * hst_int8_of(w->data[i * outs + o], w->scale[o]);
    *out = step_of(y, (double)sum * (double)b->scale[o]);
}

static void interpret(const hst_tfl *g, const network *n, double *prob)
{
    static const int code[] = {HST_TFL_QUANTIZE,        HST_TFL_CONV_2D, HST_TFL_MEAN,
                               HST_TFL_FULLY_CONNECTED, HST_TFL_SOFTMAX, HST_TFL_QUANTIZE};
    int32_t image[SIDE * SIDE * 3], map[OUT * OUT * CHANNELS], mean[CHANNELS], logit[CLASSES];
    assert_int_equal(g->n_ops, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(g->op[i].code, code[i]);
    const hst_tfl_tensor *at[6];
    for (int i = 0; i < 6; i++)
        at[i] = &g->tensor[g->op[i].out[0]];
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        image[i] = step_of(at[0], value_of(&g->tensor[g->input], n->pixel[i]));
    for (int i = 0; i < OUT * OUT; i++) {
        int32_t window[TAPS * 3];
        for (int t = 0; t < TAPS * 3; t++)
            window[t] = image[((i / OUT + t / 9) * SIDE + i % OUT + t / 3 % 3) * 3 + t % 3];
        for (int o = 0; o < CHANNELS; o++) {
            product(g, &g->op[1], window, TAPS * 3, o, &map[i * CHANNELS + o]);
            if (map[i * CHANNELS + o] < step_of(at[1], 0))
                map[i * CHANNELS + o] = step_of(at[1], 0);
        }
    }
    for (int o = 0; o < CHANNELS; o++) {
        double sum = 0;
        for (int i = 0; i < OUT * OUT; i++)
            sum += value_of(at[1], map[i * CHANNELS + o]);
        mean[o] = step_of(at[2], sum / (OUT * OUT));
    }
    double z[CLASSES], p[CLASSES];
    for (int c = 0; c < CLASSES; c++) {
        product(g, &g->op[3], mean, CHANNELS, c, &logit[c]);
        z[c] = value_of(at[3], logit[c]);
    }
    softmax(z, p);
    for (int c = 0; c < CLASSES; c++)
        prob[c] = value_of(at[5], step_of(at[5], value_of(at[4], step_of(at[4], p[c]))));
}

static void whole_numbers_give_the_networks_answers(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_tfl g = {.err = &err, .arena = hst_arena_new(&err)};
    network n;
    network_make(&n);
    network_write(&g, &n);
    const hst_program program = {0};
    const hst_model model = {.target = HST_TARGET_CLASS};
    const hst_exporting x = {.program = &program, .model = &model, .ends = {.uint8 = 1}};
    check_ok(hst_tfl_quantise(&g, &x), &err);
    double prob[CLASSES];
    interpret(&g, &n, prob);
    for (int c = 0; c < CLASSES; c++)
        assert_true(fabs(prob[c] - n.prob[c]) < 0.02);
    /* the ends: pixels are themselves, probabilities are times 256 */
    const hst_tfl_tensor *in = &g.tensor[g.input], *out = &g.tensor[g.output];
    const hst_tfl_tensor *before = &g.tensor[g.op[5].in[0]];
    assert_string_equal(out->name, "probabilities");
    assert_int_equal(in->type, HST_TFL_U8);
    assert_int_equal(out->type, HST_TFL_U8);
    assert_true(in->scale[0] == 1 && in->zero == 0);
    assert_true(out->scale[0] == 1.0f / 256 && out->zero == 0);
    assert_true(before->scale[0] == 1.0f / 256 && before->zero == -128);
    for (size_t i = 0; i < g.n_tensors; i++)
        assert_int_not_equal(g.tensor[i].type, HST_TFL_F32);
    free(g.tensor);
    free(g.op);
    hst_arena_free(g.arena);
}

/* A convolution of so many outputs, each of `seen` channels of the input, of which it has `in`. */
typedef struct product_case {
    enum hst_tfl_code code;
    int side, in, seen, out;
} product_case;

enum { MOST_IN = 6, MOST_OUT = 6, MOST_KERNEL = 9 * MOST_IN * MOST_OUT };

/* Inputs that are what they are on average give what they gave before the kernel was rounded. */
static void check_means(const product_case *k)
{
    hst_err err = {0};
    hst_tfl g = {.err = &err, .arena = hst_arena_new(&err)};
    float kernel[MOST_KERNEL], bias[MOST_OUT], mean[MOST_IN];
    const int taps = k->side * k->side, depthwise = k->code == HST_TFL_DEPTHWISE_CONV_2D;
    for (uint32_t i = 0; i < (uint32_t)(taps * k->seen * k->out); i++)
        kernel[i] = (float)made_up_noise(11, i);
    for (uint32_t i = 0; i < MOST_OUT; i++)
        bias[i] = (float)made_up_noise(12, i);
    for (uint32_t i = 0; i < MOST_IN; i++)
        mean[i] = 1 + (float)made_up_noise(13, i);
    g.input = tensor(&g, "in", (int32_t[]){1, SIDE, SIDE, k->in}, 4, 0, 2);
    g.tensor[g.input].mean = mean;
    g.output = tensor(&g, "out", (int32_t[]){1, SIDE, SIDE, k->out}, 4, -9, 9);
    const int w = constant(&g, "kernel",
                           depthwise ? (int32_t[]){1, k->side, k->side, k->out}
                                     : (int32_t[]){k->out, k->side, k->side, k->seen},
                           4, kernel);
    g.tensor[w].channel = depthwise ? 3 : 0;
    const int b = constant(&g, "bias", (int32_t[]){k->out}, 1, bias);
    operate(&g, k->code, (int[3]){g.input, w, b}, g.output);
    const hst_program program = {0};
    const hst_model model = {.target = HST_TARGET_NUMBER};
    const hst_exporting x = {.program = &program, .model = &model};
    check_ok(hst_tfl_quantise(&g, &x), &err);
    const hst_tfl_op *op = &g.op[1]; /* behind what makes whole numbers of the input */
    const hst_tfl_tensor *kernel8 = &g.tensor[op->in[1]], *bias8 = &g.tensor[op->in[2]];
    for (int o = 0; o < k->out; o++) {
        const int first = o / (k->out / (k->in / k->seen)) * k->seen;
        double before = (double)bias[o], after = (double)bias8->data[o];
        for (int i = 0; i < taps * k->seen; i++) {
            const float v = kernel[i * k->out + o], scale = kernel8->scale[o];
            before += (double)v * (double)mean[first + i % k->seen];
            after += hst_int8_of(v, scale) * (double)scale * (double)mean[first + i % k->seen];
        }
        assert_true(fabs(after - before) < 1e-6); /* 0.01 where the bias is as it was */
    }
    free(g.tensor);
    free(g.op);
    hst_arena_free(g.arena);
}

static void biases_take_back_what_rounding_adds(void **state)
{
    static const product_case cases[] = {{HST_TFL_CONV_2D, 1, 6, 6, 4},
                                         {HST_TFL_CONV_2D, 3, 3, 3, 4},
                                         {HST_TFL_CONV_2D, 3, 6, 2, 6},
                                         {HST_TFL_DEPTHWISE_CONV_2D, 3, 6, 1, 6}};
    (void)state;
    for (int i = 0; i < 4; i++)
        check_means(&cases[i]);
}

/* Channels behind ReLU6 become as large as half the range, as far as powers of two do it, where a
 * depthwise convolution alone reads them, and what both make together stays what it is. */
static void small_channels_have_as_many_steps(void **state)
{
    (void)state;
    enum { IN = 2, C = 4 };
    for (int other_reader = 0; other_reader < 2; other_reader++) {
        float w[IN * C], b[C], dw[TAPS * C], most[C] = {3.1f, 1.4f, 0.001f, -1}, mean[C];
        for (uint32_t i = 0; i < IN * C; i++)
            w[i] = (float)made_up_noise(21, i);
        for (uint32_t i = 0; i < TAPS * C; i++)
            dw[i] = (float)made_up_noise(22, i);
        for (int i = 0; i < C; i++)
            b[i] = mean[i] = 0.25f;
        hst_do_step step[] = {
            {.what = HST_DO_INPUT, .rank = 3, .dim = {SIDE, SIDE, IN}},
            {.what = HST_DO_CONV, .rank = 3, .dim = {SIDE, SIDE, C}, .act = HST_ACT_RELU6},
            {.what = HST_DO_DEPTHWISE, .rank = 3, .dim = {SIDE, SIDE, C}, .input = {1}}};
        step[1].n_inputs = step[2].n_inputs = 1;
        step[1].readers = 1 + other_reader;
        step[1].w = w;
        step[1].b = b;
        step[1].n_w = IN * C;
        step[2].w = dw;
        step[2].n_w = TAPS * C;
        hst_program p = {.step = step, .n = 3};
        hst_step_range range[3] = {{.mean = NULL}};
        range[1] = (hst_step_range){.value = {0, 6}, .mean = mean, .most = most};
        hst_export_equalise(&p, range);
        static const float by[C] = {1, 2, 64, 1}; /* no more than 64; 1 where nothing was seen */
        for (uint32_t i = 0; i < IN * C; i++)
            assert_true(w[i] == (float)made_up_noise(21, i) * (other_reader ? 1 : by[i % C]));
        for (uint32_t i = 0; i < TAPS * C; i++)
            assert_true(dw[i] == (float)made_up_noise(22, i) / (other_reader ? 1 : by[i % C]));
        for (int i = 0; i < C; i++)
            assert_true(b[i] == mean[i] && b[i] == 0.25f * (other_reader ? 1 : by[i]));
    }
}

/* What has no range is computed in float32, between operators that convert. */
static void what_has_no_range_stays(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_tfl g = {.err = &err, .arena = hst_arena_new(&err)};
    network n;
    network_make(&n);
    network_write(&g, &n);
    for (size_t i = 0; i < g.n_tensors; i++)
        if (strcmp(g.tensor[i].name, "mean") == 0)
            g.tensor[i].least = g.tensor[i].most = 0;
    const hst_program program = {0};
    const hst_model model = {.target = HST_TARGET_CLASS};
    const hst_exporting x = {.program = &program, .model = &model, .ends = {.uint8 = 1}};
    check_ok(hst_tfl_quantise(&g, &x), &err);
    static const int code[] = {HST_TFL_QUANTIZE, HST_TFL_CONV_2D,         HST_TFL_DEQUANTIZE,
                               HST_TFL_MEAN,     HST_TFL_FULLY_CONNECTED, HST_TFL_QUANTIZE,
                               HST_TFL_SOFTMAX,  HST_TFL_QUANTIZE};
    assert_int_equal(g.n_ops, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(g.op[i].code, code[i]);
    assert_int_equal(g.tensor[g.op[3].in[0]].type, HST_TFL_F32);
    assert_int_equal(g.tensor[g.op[3].out[0]].type, HST_TFL_F32);
    assert_int_equal(g.tensor[g.op[4].in[1]].type, HST_TFL_F32);
    free(g.tensor);
    free(g.op);
    hst_arena_free(g.arena);
}

/* ---- halves ---- */

static void errors_of_halves_add_up_to_little(void **state)
{
    (void)state;
    enum { ROWS = 200, COLUMNS = 3 };
    float x[ROWS * COLUMNS], out[ROWS * COLUMNS];
    hst_err err = {0};
    for (uint32_t i = 0; i < ROWS * COLUMNS; i++)
        x[i] = (float)made_up_noise(9, i) + 0.3f;
    check_ok(hst_halves(x, ROWS * COLUMNS, COLUMNS, out, &err), &err);
    for (int c = 0; c < COLUMNS; c++) {
        double sum = 0;
        for (int i = c; i < ROWS * COLUMNS; i += COLUMNS) {
            const double off = fabs((double)out[i] - (double)x[i]);
            assert_true(off <= 0x1p-11); /* two neighbours, of numbers below 1 */
            sum += (double)out[i] - (double)x[i];
        }
        assert_true(fabs(sum) < 0x1p-12);
    }
}

/* ---- through the library ---- */

/* A model of two classes, and photos of them. */
typedef struct learned {
    hst_ctx *ctx;
    hst_backbone *backbone;
    hst_model *model;
    hst_data *data;
    char *dir; /* of the photos, and for what a test writes */
} learned;

static learned learned_make(void)
{
    static const char *const labels[] = {"a", "b"};
    hst_err err = {0};
    learned l = {.ctx = made_up_ctx(2), .dir = temporary_folder()};
    l.backbone = made_up_backbone(l.ctx, 1);
    l.model = made_up_model(l.backbone, labels, 2);
    made_up_photos(l.dir, 2, 12, 40, 32);
    l.data = hst_data_open(l.ctx, l.dir, NULL, &err);
    check_ok(l.data == NULL, &err);
    return l;
}

static void learned_free(learned *l)
{
    hst_data_free(l->data);
    remove_tree(l->dir);
    free(l->dir);
    hst_model_free(l->model);
    hst_backbone_free(l->backbone);
    hst_close(l->ctx);
}

static void photos_calibrate(void **state)
{
    (void)state;
    learned l = learned_make();
    hst_ctx *ctx = l.ctx;
    const hst_model *m = l.model;
    hst_err err = {0};
    hst_exported out = {.size = sizeof out};
    hst_export_opts o = hst_export_opts_default();
    uint8_t *first = NULL, *bytes = NULL;
    size_t n, n_first;
    char *path = hst_path_join(l.dir, "model.tflite", &err);
    o.format = "tflite";
    o.weights = "int8";
    o.max_drop = 101;
    o.data = l.data;
    assert_int_equal(hst_export(ctx, m, path, &o, &out, &err), HST_EARG);
    o.max_drop = 100; /* where a runtime is there: of four photos it tells nothing */
    check_ok(hst_export(ctx, m, path, &o, &out, &err), &err);
    check_ok(hst_file_read(path, 1 << 26, HST_EIO, &first, &n_first, &err), &err);
    hst_ctx *alone = made_up_ctx(1); /* as many threads as there may be: the same bytes */
    check_ok(hst_export(alone, m, path, &o, &out, &err), &err);
    hst_close(alone);
    check_ok(hst_file_read(path, 1 << 26, HST_EIO, &bytes, &n, &err), &err);
    assert_int_equal(n, n_first);
    assert_memory_equal(bytes, first, n);
    o.split = "/nowhere/split.csv";
    assert_int_equal(hst_export(ctx, m, path, &o, &out, &err), HST_EDATA);
    /* C computes in float32: its answers are off by 0.08 where biases are as they were */
    char *code = hst_path_join(l.dir, "code", &err);
    o.format = "c";
    o.split = NULL;
    check_ok(hst_export(ctx, m, code, &o, &out, &err), &err);
    assert_false(out.difference > 0.03); /* NAN: there is no compiler */
    free(code);
    free(bytes);
    free(first);
    free(path);
    learned_free(&l);
}

/* What lies between a value's ends over the pictures. */
static hst_range whole_of(const hst_ctx *ctx, const hst_model *m, const hst_probes *p, int node)
{
    hst_err err = {0};
    const hst_pixel_norm *norm = &hst_model_plain(m)->view[0].prep.norm;
    const size_t n = (size_t)p->height * (size_t)p->width * 3;
    hst_plan_options o = hst_plan_defaults();
    o.output = &node;
    o.n_outputs = 1;
    hst_plan *plan = hst_plan_make(hst_model_plain(m)->backbone->graph, ctx->kernels, &o, &err);
    check_ok(plan == NULL, &err);
    hst_work *w = hst_work_new(plan, &err);
    check_ok(w == NULL, &err);
    const size_t floats = hst_plan_output_floats(plan);
    float *x = calloc(n, sizeof *x), *y = calloc(floats, sizeof *y);
    hst_range r = {INFINITY, -INFINITY};
    for (int i = 0; i < p->n; i++) {
        for (size_t k = 0; k < n; k++)
            x[k] = ((float)p->picture[(size_t)i * n + k] - norm->mean[k % 3]) / norm->std[k % 3];
        hst_plan_run(plan, w, x, 1, y);
        for (size_t k = 0; k < floats; k++)
            r = (hst_range){fminf(r.least, y[k]), fmaxf(r.most, y[k])};
    }
    free(y);
    free(x);
    hst_work_free(w);
    hst_plan_free(plan);
    return r;
}

/* Ranges of what ReLU6 has cut off are those of the photos. Of what lies around 0 they are no
 * wider, and narrower where a few numbers alone are large, but half as wide at least. */
static void ranges_lose_least(void **state)
{
    (void)state;
    learned l = learned_make();
    hst_ctx *ctx = l.ctx;
    const hst_model *m = l.model;
    hst_err err = {0};
    hst_program p = {0};
    hst_ends ends = {.uint8 = 1};
    hst_export_photos photos = {0};
    hst_probes pictures = {0};
    int clipped = 0, around = 0, narrower = 0;
    check_ok(hst_export_program(m, &ends, &p, &err), &err);
    check_ok(hst_export_photos_open(ctx, m, l.data, NULL, &photos, &err), &err);
    size_t n = photos.n_calibrates;
    check_ok(hst_export_pictures(ctx, m, &photos, photos.calibrates, &n, &pictures, &err), &err);
    const hst_exporting x = {.ctx = ctx, .model = m, .program = &p};
    hst_step_range *range = hst_export_calibrate(&x, &photos, &err);
    check_ok(range == NULL, &err);
    for (int i = 0; i < p.features; i++) {
        const hst_do_step *s = &p.step[i];
        if (s->node == 0)
            continue;
        const hst_range whole = whole_of(ctx, m, &pictures, s->node), r = range[i].value;
        assert_true(r.least >= fminf(whole.least, 0) && r.most <= fmaxf(whole.most, 0));
        if (s->act == HST_ACT_NONE && whole.least < 0) {
            assert_true(r.most - r.least > (whole.most - whole.least) / 2);
            around++;
            narrower += r.most - r.least < (whole.most - whole.least) * 0.98F;
        } else if (s->act == HST_ACT_RELU6) {
            assert_true(r.most == whole.most);
            clipped++;
        }
    }
    assert_true(clipped > 10 && around > 10);
    assert_true(narrower > 0);
    free(range);
    hst_probes_free(&pictures);
    hst_export_photos_free(&photos);
    hst_program_free(&p);
    learned_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_give_the_networks_answers),
        cmocka_unit_test(biases_take_back_what_rounding_adds),
        cmocka_unit_test(small_channels_have_as_many_steps),
        cmocka_unit_test(what_has_no_range_stays),
        cmocka_unit_test(errors_of_halves_add_up_to_little),
        cmocka_unit_test(photos_calibrate),
        cmocka_unit_test(ranges_lose_least),
    };
    return cmocka_run_group_tests_name("quantise", tests, NULL, NULL);
}
