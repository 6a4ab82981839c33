/* graphdef_steps.c - a program's steps as TensorFlow's operators.
 *
 * Everything is channels last, as the program has it, behind the batch, and weights lie as
 * TensorFlow has them. A vector is [batch][c], or, where it is made of a map and goes to one,
 * [batch][1][1][c]. */
#include "exports/graphdef_writer.h"

#include <float.h>
#include <string.h>

/* ---- what a step makes ---- */

static const char *final_name(hst_tf_writer *w, int i)
{
    return i == w->program->n - 1 ? w->output : hst_tf_name(w->g, "%s/out", hst_tf_base(w, i));
}

/* The name of what comes before the activation, where that is a node of its own. */
static const char *raw_name(hst_tf_writer *w, int i)
{
    return hst_tf_step(w, i)->act == HST_ACT_NONE
               ? final_name(w, i)
               : hst_tf_name(w->g, "%s/linear", hst_tf_base(w, i));
}

/* `raw` was made: the activation behind it, and the value is there. */
static void made(hst_tf_writer *w, int i, const char *raw, int is_map)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const char *name = raw;
    if (s->act != HST_ACT_NONE) {
        name = final_name(w, i);
        hst_tf_activate(w, s->act, name, raw);
    }
    w->value[i] = (hst_tf_value){name, is_map || s->rank == 3};
}

static hst_tf_value input_value(const hst_tf_writer *w, int i, int k)
{
    return w->value[hst_tf_step(w, i)->input[k]];
}

static void input(hst_tf_writer *w, int i, const hst_exporting *x)
{
    const enum hst_tf_type type = x->ends.uint8 ? HST_TF_UINT8 : HST_TF_FLOAT;
    const char *name = "image";
    hst_tf_node n = {.name = name,
                     .op = "Placeholder",
                     .attr = {HST_TF_TYPED("dtype", type), hst_tf_input_shape(x)},
                     .n_attrs = 2};
    hst_tf_add(w->g, &n);
    if (x->ends.uint8) {
        name = hst_tf_name(w->g, "image/float");
        n = (hst_tf_node){
            .name = name,
            .op = "Cast",
            .in = IN("image"),
            .n_in = 1,
            .attr = {HST_TF_TYPED("SrcT", HST_TF_UINT8), HST_TF_TYPED("DstT", HST_TF_FLOAT)},
            .n_attrs = 2};
        hst_tf_add(w->g, &n);
    }
    if (x->ends.nchw)
        name = hst_tf_node_add(w, "Transpose", hst_tf_name(w->g, "image/nhwc"),
                               IN(name, WHOLE(w, 0, 2, 3, 1)), NULL, 0);
    w->value[i] = (hst_tf_value){name, 1};
}

/* ---- padding ---- */

static const char *widths(hst_tf_writer *w, const char *name, int rank, const int32_t *around)
{
    hst_tf_tensor t = {.name = name, .n_dims = 2, .dim = {rank, 2}};
    memcpy(t.whole, around, (size_t)rank * 2 * sizeof *around);
    return hst_tf_tensor_add(w->g, &t);
}

/* x with zeros around it, or with what is below every number. */
static const char *padded(hst_tf_writer *w, const char *name, const char *x, const hst_do_window *k,
                          int lowest)
{
    const int32_t around[] = {0, 0, k->top, k->bottom, k->left, k->right, 0, 0};
    const char *by = widths(w, hst_tf_name(w->g, "%s/widths", name), 4, around);
    return lowest ? hst_tf_node_add(w, "PadV2", name, IN(x, by, hst_tf_number(w->g, -FLT_MAX)),
                                    NULL, 0)
                  : hst_tf_binary(w, "Pad", name, x, by);
}

/* The operator's own padding, and in *x its input, for what it cannot do itself with zeros, or what
 * counts as -infinity, put around it before. */
static const char *padding_of(hst_tf_writer *w, int i, int lowest, const char **x)
{
    const hst_do_step *s = hst_tf_step(w, i);
    if (hst_do_pads_nothing(&s->window))
        return "VALID";
    if (hst_do_pads_same(hst_tf_step(w, s->input[0]), s))
        return "SAME";
    *x = padded(w, hst_tf_name(w->g, "%s/padded", hst_tf_base(w, i)), *x, &s->window, lowest);
    return "VALID";
}

/* ---- products ---- */

/* A convolution, or a product of matrices. */
typedef struct product {
    const char *op, *fused, *x, *kernel;
    hst_tf_attr attr[6];
    int n_attrs, grouped;
} product;

/* One node with the bias and, where it can, the activation, or nodes of their own for them. */
static void multiply(hst_tf_writer *w, int i, product *p, int is_map)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const char *act = hst_tf_fused(s->act), *bias = hst_tf_vector(w, i, "bias", s->b), *to;
    if (w->g->fuses) {
        p->attr[p->n_attrs++] = (hst_tf_attr)HST_TF_INT("num_args", 1);
        p->attr[p->n_attrs++] = (hst_tf_attr){.name = "fused_ops",
                                              .kind = HST_TF_IS_TEXTS,
                                              .n = act ? 2 : 1,
                                              .text = {"BiasAdd", act}};
        to = act ? final_name(w, i) : raw_name(w, i);
        hst_tf_node_add(w, p->fused, to, IN(p->x, p->kernel, bias), p->attr, p->n_attrs);
        if (!act) {
            made(w, i, to, is_map);
            return;
        }
        w->value[i] = (hst_tf_value){to, is_map || s->rank == 3};
        return;
    }
    const char *part = hst_tf_name(w->g, "%s/product", hst_tf_base(w, i));
    hst_tf_node_add(w, p->op, part, IN(p->x, p->kernel), p->attr, p->n_attrs);
    to = raw_name(w, i);
    /* together with BiasAdd TensorFlow would do a grouped convolution in a way that it has not */
    hst_tf_binary(w, p->grouped ? "AddV2" : "BiasAdd", to, part, bias);
    made(w, i, to, is_map);
}

static void set_window(product *p, const char *padding, int stride_h, int stride_w)
{
    p->attr[0] = (hst_tf_attr)HST_TF_FOUR("strides", 1, stride_h, stride_w, 1);
    p->attr[1] = (hst_tf_attr)HST_TF_FOUR("dilations", 1, 1, 1, 1);
    p->attr[2] = (hst_tf_attr)HST_TF_TEXT("padding", padding);
    p->attr[3] = (hst_tf_attr)HST_TF_TEXT("data_format", "NHWC");
    p->n_attrs = 4;
}

/* Channels from `first` on of a kernel [..][all], so many. */
static const char *kernel_part(hst_tf_writer *w, int i, int part, int wide, const hst_tf_tensor *of)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const size_t all = (size_t)hst_do_channels(s), rows = s->n_w / all, n = (size_t)wide;
    hst_tf_tensor t = *of;
    float *x = hst_tf_floats(w->g, rows * n);
    for (size_t r = 0; x && r < rows; r++)
        memcpy(x + r * n, s->w + r * all + (size_t)part * n, n * sizeof *x);
    t.data = x;
    t.dim[3] = wide;
    return hst_tf_constant(w, i, hst_tf_name(w->g, "kernel_%d", part), &t);
}

/* TensorFlow.js knows no groups: a convolution each, of some channels. */
static void conv_apart(hst_tf_writer *w, int i, const product *p, const hst_tf_tensor *kernel)
{
    const int n = hst_tf_step(w, i)->groups, wide = hst_do_channels(hst_tf_step(w, i)) / n;
    const char *base = hst_tf_base(w, i), *to = raw_name(w, i);
    const char *parts = hst_tf_name(w->g, "%s/groups", base);
    const char *all = hst_tf_name(w->g, "%s/product", base);
    const char **in = hst_arena_alloc(w->g->arena, (size_t)n + 2, sizeof *in, w->g->err);
    if (!in) {
        w->g->rc = HST_EMEM;
        return;
    }
    hst_tf_node_add(w, "Split", parts, IN(hst_tf_axis(w->g, 3), p->x),
                    WITH(HST_TF_INT("num_split", n)));
    for (int k = 0; k < n; k++) {
        const char *x = k ? hst_tf_name(w->g, "%s:%d", parts, k) : parts;
        in[k] = hst_tf_node_add(w, p->op, hst_tf_name(w->g, "%s/group_%d", base, k),
                                IN(x, kernel_part(w, i, k, wide, kernel)), p->attr, p->n_attrs);
    }
    in[n] = hst_tf_axis(w->g, 3);
    hst_tf_node_add(w, "ConcatV2", all, in, WITH(HST_TF_INT("N", n)));
    hst_tf_binary(w, "AddV2", to, all, hst_tf_vector(w, i, "bias", hst_tf_step(w, i)->b));
    made(w, i, to, 1);
}

static void conv(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const hst_do_window *k = &s->window;
    const int64_t out = hst_do_channels(s);
    const hst_tf_tensor kernel = {
        .n_dims = 4,
        .dim = {k->kernel_h, k->kernel_w, (int64_t)s->n_w / (k->kernel_h * k->kernel_w * out), out},
        .data = s->w};
    product p = {.op = "Conv2D", .fused = "_FusedConv2D", .x = input_value(w, i, 0).name};
    set_window(&p, padding_of(w, i, 0, &p.x), k->stride_h, k->stride_w);
    p.grouped = s->groups > 1;
    if (p.grouped && w->g->fuses) {
        conv_apart(w, i, &p, &kernel);
        return;
    }
    p.kernel = hst_tf_constant(w, i, "kernel", &kernel);
    multiply(w, i, &p, 1);
}

static void depthwise(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const hst_do_window *k = &s->window;
    const hst_tf_tensor kernel = {
        .n_dims = 4, .dim = {k->kernel_h, k->kernel_w, hst_do_channels(s), 1}, .data = s->w};
    product p = {.op = "DepthwiseConv2dNative",
                 .fused = "FusedDepthwiseConv2dNative",
                 .x = input_value(w, i, 0).name};
    set_window(&p, padding_of(w, i, 0, &p.x), k->stride_h, k->stride_w);
    p.kernel = hst_tf_constant(w, i, "depthwise_kernel", &kernel);
    multiply(w, i, &p, 1);
}

/* Of a vector that is between maps a convolution; of tokens a product of stacked matrices. */
static void dense(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const int64_t out = hst_do_channels(s), in = (int64_t)s->n_w / out;
    const hst_tf_value x = input_value(w, i, 0);
    const int map = x.is_map && i <= w->program->features;
    hst_tf_tensor kernel = {.n_dims = 2, .dim = {in, out}, .data = s->w};
    product p = {.op = "MatMul", .fused = "_FusedMatMul", .x = x.name};
    if (map) {
        kernel = (hst_tf_tensor){.n_dims = 4, .dim = {1, 1, in, out}, .data = s->w};
        p.op = "Conv2D";
        p.fused = "_FusedConv2D";
        set_window(&p, "VALID", 1, 1);
    }
    p.kernel = hst_tf_constant(w, i, "kernel", &kernel);
    if (x.is_map && !map)
        p.x = hst_tf_reshaped(w, hst_tf_name(w->g, "%s/vector", hst_tf_base(w, i)), x.name,
                              WHOLE(w, -1, (int32_t)in));
    if (s->rank == 1) {
        multiply(w, i, &p, map);
        return;
    }
    const char *part = hst_tf_name(w->g, "%s/product", hst_tf_base(w, i)), *to = raw_name(w, i);
    hst_tf_binary(w, "BatchMatMulV2", part, x.name, p.kernel);
    hst_tf_binary(w, "AddV2", to, part, hst_tf_vector(w, i, "bias", s->b));
    made(w, i, to, 0);
}

/* ---- channels and sums ---- */

static void affine(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const hst_tf_value x = input_value(w, i, 0);
    const char *by = hst_tf_name(w->g, "%s/scaled", hst_tf_base(w, i)), *to = raw_name(w, i);
    hst_tf_binary(w, "Mul", by, x.name, hst_tf_vector(w, i, "scale", s->w));
    hst_tf_binary(w, "AddV2", to, by, hst_tf_vector(w, i, "shift", s->b));
    made(w, i, to, x.is_map);
}

/* A vector in as many dimensions as what it goes with. */
static const char *beside(hst_tf_writer *w, int i, int k, const hst_do_step *other, int is_map)
{
    const hst_tf_value y = input_value(w, i, k);
    const hst_do_step *s = hst_tf_step(w, hst_tf_step(w, i)->input[k]);
    const char *name = hst_tf_name(w->g, "%s/vector_%d", hst_tf_base(w, i), k);
    if (s->rank > 1 || (y.is_map == is_map && other->rank != 2))
        return y.name;
    return hst_tf_reshaped(w, name, y.name,
                           other->rank == 2 ? WHOLE(w, -1, 1, s->dim[0])
                           : is_map         ? WHOLE(w, -1, 1, 1, s->dim[0])
                                            : WHOLE(w, -1, s->dim[0]));
}

static void two(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i), *first = hst_tf_step(w, s->input[0]);
    const hst_tf_value x = input_value(w, i, 0);
    const char *y = beside(w, i, 1, first, x.is_map), *to = raw_name(w, i);
    hst_tf_binary(w, s->what == HST_DO_ADD ? "AddV2" : "Mul", to, x.name, y);
    made(w, i, to, x.is_map);
}

static void alone(hst_tf_writer *w, int i)
{
    const hst_tf_value x = input_value(w, i, 0);
    made(w, i, x.name, x.is_map);
}

static void softmax(hst_tf_writer *w, int i)
{
    const char *to = raw_name(w, i);
    made(w, i, hst_tf_unary(w, "Softmax", to, input_value(w, i, 0).name), 0);
}

/* ---- pooling ---- */

static void pad(hst_tf_writer *w, int i)
{
    const hst_do_window *k = &hst_tf_step(w, i)->window;
    made(w, i, padded(w, raw_name(w, i), input_value(w, i, 0).name, k, 0), 1);
}

/* No number of it is below zero, so that a zero is never the largest. */
static int is_positive(const hst_do_step *s)
{
    return s->act == HST_ACT_RELU || s->act == HST_ACT_RELU6 || s->act == HST_ACT_SIGMOID ||
           s->act == HST_ACT_HSIGMOID;
}

static const char *pool(hst_tf_writer *w, const char *op, const char *name, const char *x,
                        const hst_do_window *k, const char *padding)
{
    return hst_tf_node_add(w, op, name, IN(x),
                           WITH(HST_TF_FOUR("ksize", 1, k->kernel_h, k->kernel_w, 1),
                                HST_TF_FOUR("strides", 1, k->stride_h, k->stride_w, 1),
                                HST_TF_TEXT("padding", padding)));
}

static void max_pool(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const char *x = input_value(w, i, 0).name, *to = raw_name(w, i);
    const char *padding = padding_of(w, i, !is_positive(hst_tf_step(w, s->input[0])), &x);
    made(w, i, pool(w, "MaxPool", to, x, &s->window, padding), 1);
}

/* What a mean that counts the zeros around the picture is multiplied by, [1][h][w][1]. */
static const char *corrections(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    hst_tf_tensor t = {.n_dims = 4, .dim = {1, s->dim[0], s->dim[1], 1}};
    float *x = hst_tf_floats(w->g, hst_tf_count(&t));
    t.data = x;
    if (x)
        hst_do_corrections(hst_tf_step(w, s->input[0]), s, x);
    return hst_tf_constant(w, i, "corrections", &t);
}

/* What is outside does not count, which SAME does too. */
static void average_pool(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const char *base = hst_tf_base(w, i), *x = input_value(w, i, 0).name, *to = raw_name(w, i);
    const int plain =
        hst_do_pads_nothing(&s->window) || hst_do_pads_same(hst_tf_step(w, s->input[0]), s);
    const char *padding = padding_of(w, i, 0, &x);
    const char *mean =
        pool(w, "AvgPool", plain ? to : hst_tf_name(w->g, "%s/mean", base), x, &s->window, padding);
    made(w, i, plain ? mean : hst_tf_binary(w, "Mul", to, mean, corrections(w, i)), 1);
}

/* A map's is one too, unless it is what the head reads. */
static void mean(hst_tf_writer *w, int i)
{
    const hst_tf_value x = input_value(w, i, 0);
    const int map = x.is_map && i != w->program->features;
    const char *over = x.is_map ? WHOLE(w, 1, 2) : WHOLE(w, 1), *to = raw_name(w, i);
    hst_tf_node_add(w, "Mean", to, IN(x.name, over), WITH(HST_TF_BOOL("keep_dims", map)));
    made(w, i, to, map);
}

/* ---- tokens and shapes ---- */

static void norm(hst_tf_writer *w, int i)
{
    const char *to = raw_name(w, i);
    hst_tf_norm(w, i, to);
    made(w, i, to, input_value(w, i, 0).is_map);
}

static void attention(hst_tf_writer *w, int i)
{
    const char *to = raw_name(w, i);
    hst_tf_attention(w, i, to);
    made(w, i, to, 0);
}

static void turn(hst_tf_writer *w, int i)
{
    const char *to = raw_name(w, i);
    hst_tf_turn(w, i, to);
    made(w, i, to, 0);
}

/* The same tokens in front of those of every image: room is made for them, and they are added. */
static void concat_constant(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i), *front = hst_tf_step(w, s->input[0]);
    const char *room = hst_tf_name(w->g, "%s/padded", hst_tf_base(w, i)), *to = raw_name(w, i);
    const int32_t around[] = {0, 0, front->dim[0], 0, 0, 0};
    const char *by = widths(w, hst_tf_name(w->g, "%s/widths", room), 3, around);
    hst_tf_tensor t = {.n_dims = 3, .dim = {1, s->dim[0], s->dim[1]}};
    float *all = hst_tf_floats(w->g, hst_do_floats(s));
    if (!all)
        return;
    memcpy(all, front->w, front->n_w * sizeof *all);
    t.data = all;
    hst_tf_binary(w, "Pad", room, input_value(w, i, 1).name, by);
    hst_tf_binary(w, "AddV2", to, room, hst_tf_constant(w, s->input[0], "front", &t));
    made(w, i, to, 0);
}

static void concat(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i), *first = hst_tf_step(w, s->input[0]);
    const int is_map = input_value(w, i, 0).is_map, rank = s->rank == 1 && is_map ? 3 : s->rank;
    const char *in[HST_MAX_INPUTS + 2] = {NULL}, *to = raw_name(w, i);
    if (first->what == HST_DO_CONST) {
        concat_constant(w, i);
        return;
    }
    for (int k = 0; k < s->n_inputs; k++)
        in[k] = beside(w, i, k, first, is_map);
    in[s->n_inputs] = hst_tf_axis(w->g, rank - s->rank + s->axis + 1);
    hst_tf_node_add(w, "ConcatV2", to, in, WITH(HST_TF_INT("N", s->n_inputs)));
    made(w, i, to, is_map);
}

static void slice(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const hst_tf_value x = input_value(w, i, 0);
    const int n = (s->rank == 1 && x.is_map ? 3 : s->rank) + 1, at = n - s->rank + s->axis;
    int32_t begin[4] = {0}, size[4] = {-1, -1, -1, -1};
    begin[at] = s->begin;
    size[at] = s->dim[s->axis];
    const char *to = raw_name(w, i);
    hst_tf_node_add(w, "Slice", to,
                    IN(x.name, hst_tf_whole(w->g, begin, n), hst_tf_whole(w->g, size, n)),
                    WITH(HST_TF_TYPED("Index", HST_TF_INT32)));
    made(w, i, to, x.is_map);
}

static void shape(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    int32_t dim[4] = {-1, s->dim[0], s->dim[1], s->dim[2]};
    const char *to = raw_name(w, i), *x = input_value(w, i, 0).name;
    made(w, i, hst_tf_reshaped(w, to, x, hst_tf_whole(w->g, dim, s->rank + 1)), 0);
}

static void constant(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    hst_tf_tensor t = {.n_dims = s->rank + 1, .dim = {1}, .data = s->w};
    for (int k = 0; k < s->rank; k++)
        t.dim[k + 1] = s->dim[k];
    if (s->readers == 1 && hst_tf_step(w, i + 1)->what == HST_DO_CONCAT)
        return; /* concat_constant() has its numbers */
    w->value[i].name = hst_tf_constant(w, i, "value", &t);
}

static void write_step(hst_tf_writer *w, int i, const hst_exporting *x)
{
    static void (*const rows[HST_DOS])(hst_tf_writer * w, int i) = {
        [HST_DO_CONST] = constant,
        [HST_DO_CONV] = conv,
        [HST_DO_DEPTHWISE] = depthwise,
        [HST_DO_DENSE] = dense,
        [HST_DO_AFFINE] = affine,
        [HST_DO_ADD] = two,
        [HST_DO_MULTIPLY] = two,
        [HST_DO_ACTIVATE] = alone,
        [HST_DO_PAD] = pad,
        [HST_DO_MAX_POOL] = max_pool,
        [HST_DO_AVERAGE_POOL] = average_pool,
        [HST_DO_MEAN] = mean,
        [HST_DO_LAYER_NORM] = norm,
        [HST_DO_GROUP_NORM] = norm,
        [HST_DO_ATTENTION] = attention,
        [HST_DO_TURN] = turn,
        [HST_DO_CONCAT] = concat,
        [HST_DO_SLICE] = slice,
        [HST_DO_SHAPE] = shape,
        [HST_DO_SOFTMAX] = softmax,
    };
    const enum hst_do what = hst_tf_step(w, i)->what;
    if (what == HST_DO_INPUT)
        input(w, i, x);
    else if (rows[what])
        rows[what](w, i);
    else
        w->g->rc = hst_fail(w->g->err, HST_EUNSUP, "a %s cannot be written to TensorFlow",
                            hst_do_names[what]);
}

int hst_tf_steps(hst_tf *g, const hst_exporting *x)
{
    hst_tf_writer w = {.g = g, .program = x->program, .output = hst_tf_output(x)};
    w.value = hst_arena_alloc(g->arena, (size_t)x->program->n, sizeof *w.value, g->err);
    if (!w.value)
        return HST_EMEM;
    for (int i = 0; i < x->program->n && g->rc == 0; i++)
        write_step(&w, i, x);
    return g->rc;
}
