#include "network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_KERNEL = 31, MAX_STRIDE = 8, MAX_CHANNELS = 65536, MAX_PX = 4096 };

/* Ways of padding, as bits. */
enum { TF = 1, SYMMETRIC = 2 };

/* What has come to a convolution: products and sums of its channels, and batch norm behind them. */
enum step { CONVOLVED, BIASED, NORMALISED };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph is no network known here: %s", why);
}

int net_init(network *n, hst_arena *arena, size_t file_bytes, hst_err *err)
{
    *n = (network){.arena = arena, .picture = -1, .padding = TF | SYMMETRIC};
    for (int c = 0; c < 3; c++)
        n->scale[c] = 1;
    n->left = file_bytes > SIZE_MAX / 32 ? SIZE_MAX : 8 * file_bytes + (1 << 20);
    n->layer = hst_arena_alloc(arena, NET_MAX_LAYERS, sizeof *n->layer, err);
    n->value = n->layer ? hst_arena_alloc(arena, NET_MAX_VALUES, sizeof *n->value, err) : NULL;
    return n->value ? 0 : HST_EMEM;
}

static int is_padded(const net_value *v)
{
    return v->pad[0] || v->pad[1] || v->pad[2] || v->pad[3];
}

static int new_value(network *n, const net_value *v, hst_err *err)
{
    if (n->n_values == NET_MAX_VALUES)
        return refuse(err, "it has too many operators");
    net_value *made = &n->value[n->n_values];
    *made = *v;
    if (!is_padded(v))
        made->same = n->n_values;
    return n->n_values++;
}

/* Of the kind made of x, and of y where it is not -1; in all else like x. */
static net_value made_of(const network *n, enum net_kind kind, int x, int y)
{
    net_value v = n->value[x];
    v.kind = kind;
    v.x = x;
    v.y = y;
    if (y >= 0 && n->value[y].depth > v.depth)
        v.depth = n->value[y].depth;
    return v;
}

/* 0, or HST_EMODEL: there is padding that only a convolution takes, or nothing known. */
static int check_plain(const network *n, int x, const char *what, hst_err *err)
{
    if (n->value[x].kind == NET_OTHER)
        return hst_fail(err, HST_EMODEL, "%s", n->passed.msg);
    if (!is_padded(&n->value[x]))
        return 0;
    return hst_fail(err, HST_EMODEL,
                    "its graph is no network known here: %s stands at an odd place", what);
}

int net_input(network *n, int64_t h, int64_t w, int64_t c, hst_err *err)
{
    if (n->n_values)
        return refuse(err, "it has more than one input");
    if (h < 0 || w < 0 || h > MAX_PX || w > MAX_PX || c != 3)
        return hst_fail(err, HST_EMODEL, "its input is %lld x %lld x %lld, expected an RGB picture",
                        (long long)h, (long long)w, (long long)c);
    n->width = w;
    n->height = h;
    n->picture = new_value(
        n, &(net_value){.kind = NET_INPUT, .x = -1, .y = -1, .h = h, .w = w, .c = 3}, err);
    return n->picture;
}

/* ---- convolutions ---- */

/* Positions of height, width, input, output among the dimensions. */
static const int places[][4] = {[NET_HWIO] = {0, 1, 2, 3},
                                [NET_OIHW] = {2, 3, 1, 0},
                                [NET_OHWI] = {1, 2, 3, 0},
                                [NET_1HWC] = {1, 2, 0, 3},
                                [NET_HWC1] = {0, 1, 3, 2}};

const int *net_places(enum net_layout layout)
{
    return places[layout];
}

static int check_kernel(const net_conv *c, int channels, net_layer *l, hst_err *err)
{
    const hst_tensor *k = c->kernel;
    const int *at = places[c->layout];
    if (k->n_dims != 4)
        return hst_fail(err, HST_EMODEL, "kernel '%.200s' has %d dimensions, expected 4", k->name,
                        k->n_dims);
    for (int i = 0; i < 4; i++)
        if (k->dim[i] < 1 || k->dim[i] > MAX_CHANNELS)
            return hst_fail(err, HST_EMODEL, "kernel '%.200s' has a dimension of %lld", k->name,
                            (long long)k->dim[i]);
    if (k->dim[at[0]] != k->dim[at[1]] || k->dim[at[0]] > MAX_KERNEL)
        return hst_fail(err, HST_EMODEL, "kernel '%.200s' is no square of 1 to %d", k->name,
                        MAX_KERNEL);
    *l = (net_layer){.kernel_of_file = *k,
                     .floats = c->floats,
                     .from = c->from,
                     .layout = c->layout,
                     .depthwise = c->depthwise,
                     .kernel = (int)k->dim[at[0]]};
    l->in = (int)k->dim[at[2]];
    l->out = (int)k->dim[at[3]];
    if (c->depthwise && l->in != 1)
        return hst_fail(err, HST_EMODEL, "depthwise kernel '%.200s' has a channel multiplier",
                        k->name);
    if (c->depthwise)
        l->in = l->out;
    if (l->in != channels)
        return hst_fail(err, HST_EMODEL, "kernel '%.200s' takes %d channels where there are %d",
                        k->name, l->in, channels);
    return 0;
}

/* Stride and padding; the size of the output in *v. */
static int check_window(const net_conv *c, net_layer *l, net_value *v, hst_err *err)
{
    if (c->stride < 1 || c->stride > MAX_STRIDE)
        return hst_fail(err, HST_EMODEL, "a convolution has a stride of %lld, expected 1 to %d",
                        (long long)c->stride, MAX_STRIDE);
    l->stride = (int)c->stride;
    l->same = c->same;
    for (int i = 0; i < 4; i++) {
        int64_t pad = v->pad[i] + (c->same ? 0 : c->pad[i]);
        if (pad < 0 || pad >= l->kernel)
            return hst_fail(err, HST_EMODEL, "a convolution of %d x %d pads by %lld", l->kernel,
                            l->kernel, (long long)pad);
        if (pad && c->same)
            return refuse(err, "one pads twice");
        l->pad[i] = (int)pad;
        v->pad[i] = 0;
    }
    if (!v->h)
        return 0;
    int64_t h = v->h + l->pad[0] + l->pad[2] - l->kernel;
    int64_t w = v->w + l->pad[1] + l->pad[3] - l->kernel;
    if (!c->same && (h < 0 || w < 0))
        return refuse(err, "a kernel is larger than the picture");
    v->h = c->same ? (v->h - 1) / c->stride + 1 : h / c->stride + 1;
    v->w = c->same ? (v->w - 1) / c->stride + 1 : w / c->stride + 1;
    return 0;
}

/* What TensorFlow pads in all along a side of so many pixels; 0: not known, and then a multiple of
 * the stride. */
static int64_t tf_total(const net_layer *l, int64_t size)
{
    const int64_t rest = size % l->stride, total = l->kernel - (rest ? rest : l->stride);
    return total > 0 ? total : 0;
}

/* The ways that a layer may be said to pad; both where they are the same. */
static int padding_of(const net_layer *l, int64_t h, int64_t w)
{
    const int64_t total[2] = {tf_total(l, h), tf_total(l, w)};
    int tf = 1, symmetric = l->kernel % 2;
    for (int i = 0; i < 4; i++) { /* top, left, bottom, right */
        const int64_t all = total[i % 2], as_tf = i < 2 ? all / 2 : all - all / 2;
        const int64_t pad = l->same ? as_tf : l->pad[i];
        tf &= pad == as_tf;
        symmetric &= l->same ? all == l->kernel - 1 : pad == (l->kernel - 1) / 2;
    }
    return (tf ? TF : 0) | (symmetric ? SYMMETRIC : 0);
}

/* The input reads as it is scaled and shifted in the end. */
static int check_operand(const network *n, int x, hst_err *err)
{
    const net_value *v = &n->value[x];
    if (v->kind == NET_OTHER)
        return check_plain(n, x, "a convolution", err);
    if (v->kind == NET_INPUT && v->same != n->value[n->picture].same)
        return refuse(err, "a convolution takes the input as it was before it was scaled");
    return 0;
}

int net_conv2d(network *n, int x, const net_conv *c, hst_err *err)
{
    net_value v = made_of(n, NET_CONV, x, -1);
    net_layer l;
    if (n->n_layers == NET_MAX_LAYERS)
        return refuse(err, "it has too many convolutions");
    const int64_t height = v.h, width = v.w;
    int rc = check_operand(n, x, err);
    rc = rc ? rc : check_kernel(c, v.c, &l, err);
    rc = rc ? rc : check_window(c, &l, &v, err);
    if (rc)
        return rc;
    int padding = padding_of(&l, height, width);
    if (!padding)
        return hst_fail(
            err, HST_EMODEL,
            "kernel '%.200s' pads by %d, %d, %d, %d (top, left, bottom, right), which is "
            "neither TensorFlow's way nor PyTorch's",
            c->kernel->name, l.pad[0], l.pad[1], l.pad[2], l.pad[3]);
    if (!v.vector)
        n->padding &= padding;
    v.layer = n->n_layers;
    v.c = l.out;
    v.depth++;
    l.tail = new_value(n, &v, err);
    if (l.tail >= 0)
        n->layer[n->n_layers++] = l;
    return l.tail;
}

/* ---- what belongs to one ---- */

/* *l: the convolution that made x, if the next thing done to it may be step. */
static int extend(network *n, int x, int step, const char *what, net_layer **l, hst_err *err)
{
    const net_value *v = &n->value[x];
    *l = v->kind == NET_CONV ? &n->layer[v->layer] : NULL;
    if (*l && (*l)->tail == x && (*l)->step < step)
        return check_plain(n, x, what, err);
    return hst_fail(err, HST_EMODEL,
                    "its graph is no network known here: %s stands at an odd place", what);
}

/* The convolution's value as it is now; it is read by this number only. */
static int extended(network *n, int x, net_layer *l, int step, hst_err *err)
{
    net_value v = n->value[x];
    l->step = step;
    l->tail = new_value(n, &v, err);
    return l->tail;
}

static int read_vector(network *n, const hst_tensor *t, int n_out, float **out, hst_err *err)
{
    size_t count = hst_tensor_count(t);
    if (count != (size_t)n_out || t->n_dims < 1)
        return hst_fail(err, HST_EMODEL, "'%.200s' has %zu numbers, expected %d", t->name, count,
                        n_out);
    if (count * sizeof **out > n->left)
        return refuse(err, "its numbers are far more than the file has");
    n->left -= count * sizeof **out;
    *out = hst_arena_alloc(n->arena, count, sizeof **out, err);
    return *out ? hst_tensor_floats(t, *out, err) : HST_EMEM;
}

int net_bias(network *n, int x, const hst_tensor *bias, hst_err *err)
{
    net_layer *l;
    float *more = NULL;
    if (n->value[x].kind == NET_STEP)
        return net_step_bias(n, x, bias, err);
    int rc = extend(n, x, NORMALISED, "a bias", &l, err);
    rc = rc ? rc : read_vector(n, bias, l->out, &more, err);
    if (rc)
        return rc;
    for (int c = 0; l->bias && c < l->out; c++)
        more[c] += l->bias[c];
    l->bias = more;
    return extended(n, x, l, BIASED, err);
}

/* A batch norm that is written as a product and a sum. */
static int scale_channels(network *n, int x, const hst_tensor *scale, hst_err *err)
{
    net_layer *l;
    float *by = NULL;
    int rc = extend(n, x, NORMALISED, "a product", &l, err);
    rc = rc ? rc : read_vector(n, scale, l->out, &by, err);
    if (rc)
        return rc;
    for (int c = 0; c < l->out; c++) {
        if (l->bias)
            l->bias[c] *= by[c];
        by[c] *= l->scale ? l->scale[c] : 1;
    }
    l->scale = by;
    return extended(n, x, l, BIASED, err);
}

int net_batchnorm(network *n, int x, const hst_tensor *const of[4], double epsilon, hst_err *err)
{
    net_layer *l;
    if (n->value[x].vector && n->value[x].kind != NET_CONV)
        return net_step_norm(n, x, of, epsilon, err);
    int rc = extend(n, x, NORMALISED, "batch norm", &l, err);
    if (rc)
        return rc;
    float **to[4] = {&l->gamma, &l->beta, &l->mean, &l->variance};
    if (!(epsilon >= 1e-12 && epsilon <= 1))
        return hst_fail(err, HST_EMODEL, "batch norm has an epsilon of %g", epsilon);
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = read_vector(n, of[i], l->out, to[i], err);
    l->epsilon = epsilon;
    return rc ? rc : extended(n, x, l, NORMALISED, err);
}

/* ---- activations ---- */

static enum net_act act_of(const network *n, int x)
{
    return n->value[x].kind == NET_ACTIVATION ? n->value[x].act : NET_LINEAR;
}

/* What an activation is done to; x where it is none. */
static int under(const network *n, int x)
{
    return n->value[x].kind == NET_ACTIVATION ? n->value[n->value[x].x].same : n->value[x].same;
}

static int new_act(network *n, int x, enum net_act act, hst_err *err)
{
    net_value v = made_of(n, NET_ACTIVATION, x, -1);
    v.act = act;
    return new_value(n, &v, err);
}

int net_activate(network *n, int x, enum net_act act, hst_err *err)
{
    if (act == NET_LINEAR)
        return x;
    int rc = check_plain(n, x, "an activation", err);
    if (rc)
        return rc;
    if (act == NET_RELU6 && act_of(n, x) == NET_PLUS3)
        return new_act(n, n->value[x].x, NET_CLIP3, err);
    return new_act(n, x, act, err);
}

/* The sixth as float16 has it, too. */
static int is_sixth(double x)
{
    return fabs(x - 1.0 / 6) < 1e-4;
}

/* relu6(conv + bias) / 6, where 3 was drawn into the bias of squeeze-and-excitation. */
static int biased_hsigmoid(network *n, int relu6, hst_err *err)
{
    const int x = n->value[n->value[relu6].x].same;
    net_layer *l = n->value[x].kind == NET_CONV ? &n->layer[n->value[x].layer] : NULL;
    if (!l || l->tail != x || !l->bias || l->gamma || !n->value[x].vector)
        return refuse(err, "numbers are multiplied between convolutions");
    for (int c = 0; c < l->out; c++)
        l->bias[c] -= 3;
    int y = extended(n, x, l, l->step, err); /* the value with the larger bias is read no more */
    return y < 0 ? y : new_act(n, y, NET_HSIGMOID, err);
}

/* x + 3 and x / 6, of which hard sigmoid and hard swish are made. */
static int affine_part(network *n, int x, double scale, double shift, hst_err *err)
{
    const enum net_act act = act_of(n, x);
    const int sixth = is_sixth(scale) && shift == 0;
    int rc = check_plain(n, x, "a constant", err);
    if (rc)
        return rc;
    if (scale == 1 && shift == 3)
        return new_act(n, x, NET_PLUS3, err);
    if (sixth && act == NET_CLIP3)
        return new_act(n, n->value[x].x, NET_HSIGMOID, err);
    if (sixth && act == NET_RELU6)
        return biased_hsigmoid(n, x, err);
    if (sixth && act == NET_X_CLIP3)
        return new_act(n, n->value[x].x, NET_HSWISH, err);
    if (sixth)
        return new_act(n, x, NET_SIXTH, err);
    return refuse(err, "numbers are added or multiplied between convolutions");
}

/* The input times scale plus shift. */
static int affine_input(network *n, int x, const double scale[3], const double shift[3],
                        hst_err *err)
{
    net_value v = n->value[x];
    if (x != n->picture || n->n_layers)
        return refuse(err, "the input is scaled in two ways");
    for (int c = 0; c < 3; c++) {
        n->scale[c] *= scale[c];
        n->shift[c] = n->shift[c] * scale[c] + shift[c];
    }
    n->picture = new_value(n, &v, err);
    return n->picture;
}

/* One number, or one for each colour. */
static int read_three(const hst_tensor *t, double out[3], hst_err *err)
{
    float x[3];
    const size_t count = hst_tensor_count(t);
    if (count != 1 && count != 3)
        return refuse(err, "numbers are added or multiplied between convolutions");
    int rc = hst_tensor_floats(t, x, err);
    for (size_t c = 0; rc == 0 && c < 3; c++)
        out[c] = (double)x[count == 1 ? 0 : c];
    return rc;
}

int net_constant(network *n, int x, char op, const hst_tensor *c, hst_err *err)
{
    const net_value *v = &n->value[x];
    double scale[3] = {1, 1, 1}, shift[3] = {0}, number[3];
    const size_t count = hst_tensor_count(c);
    if (v->kind == NET_CONV && count > 1 && count == (size_t)v->c && (op == '*' || op == '+'))
        return op == '*' ? scale_channels(n, x, c, err) : net_bias(n, x, c, err);
    if (v->kind == NET_STEP && op == '+')
        return net_step_bias(n, x, c, err);
    int rc = read_three(c, number, err);
    if (rc)
        return rc;
    for (int i = 0; i < 3; i++) {
        if (op == '/' && number[i] == 0)
            return refuse(err, "it divides by 0");
        if (op == '*' || op == '/')
            scale[i] = op == '*' ? number[i] : 1 / number[i];
        else
            shift[i] = op == '+' ? number[i] : -number[i];
    }
    if (v->kind == NET_INPUT)
        return affine_input(n, x, scale, shift, err);
    if (count > 1)
        return refuse(err, "numbers are added or multiplied between convolutions");
    return affine_part(n, x, scale[0], shift[0], err);
}

/* ---- two values ---- */

static int same_shape(const net_value *a, const net_value *b)
{
    return a->c == b->c && a->h == b->h && a->w == b->w && a->vector == b->vector;
}

int net_add(network *n, int x, int y, hst_err *err)
{
    const net_value *a = &n->value[x], *b = &n->value[y];
    int rc = check_plain(n, x, "an addition", err);
    rc = rc ? rc : check_plain(n, y, "an addition", err);
    if (rc)
        return rc;
    if (!same_shape(a, b))
        return refuse(err, "an addition takes outputs of different shapes");
    net_value v = made_of(n, NET_ADD, x, y);
    return new_value(n, &v, err);
}

/* What two activations of one thing make when multiplied; NET_LINEAR: nothing known. */
static enum net_act product_of(enum net_act a, enum net_act b)
{
    static const struct {
        enum net_act a, b, made;
    } known[] = {{NET_LINEAR, NET_SIGMOID, NET_SWISH},
                 {NET_LINEAR, NET_HSIGMOID, NET_HSWISH},
                 {NET_LINEAR, NET_CLIP3, NET_X_CLIP3},
                 {NET_SIXTH, NET_CLIP3, NET_HSWISH}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((known[i].a == a && known[i].b == b) || (known[i].a == b && known[i].b == a))
            return known[i].made;
    return NET_LINEAR;
}

/* Of a product that is an activation: which one, and of what; NET_LINEAR: it is none. x itself may
 * be an activation of something else. */
static enum net_act gated_by_itself(const network *n, int x, int y, int *of)
{
    const int x_under = under(n, x), y_under = under(n, y);
    *of = y_under == n->value[x].same ? x : y;
    if (y_under == n->value[x].same)
        return product_of(NET_LINEAR, act_of(n, y));
    if (x_under == n->value[y].same)
        return product_of(NET_LINEAR, act_of(n, x));
    *of = x_under;
    return x_under == y_under ? product_of(act_of(n, x), act_of(n, y)) : NET_LINEAR;
}

int net_multiply(network *n, int x, int y, hst_err *err)
{
    int of, rc = check_plain(n, x, "a product", err);
    rc = rc ? rc : check_plain(n, y, "a product", err);
    if (rc)
        return rc;
    enum net_act act = gated_by_itself(n, x, y, &of);
    if (act != NET_LINEAR)
        return new_act(n, of, act, err);
    int map = n->value[x].vector ? y : x, numbers = map == x ? y : x;
    if (n->value[map].vector || !n->value[numbers].vector || n->value[map].c != n->value[numbers].c)
        return refuse(err, "values are multiplied that are no map and its channels' numbers");
    net_value v = made_of(n, NET_SCALE, map, numbers);
    return new_value(n, &v, err);
}

/* ---- pictures ---- */

int net_pad(network *n, int x, const int64_t pad[4], hst_err *err)
{
    net_value v = n->value[x];
    for (int i = 0; i < 4; i++) {
        if (pad[i] < 0 || pad[i] > MAX_KERNEL || v.vector)
            return refuse(err, "a padding that no convolution needs");
        v.pad[i] += pad[i]; /* a sum that is too large is found by check_window */
        if (v.pad[i] > MAX_KERNEL)
            v.pad[i] = MAX_KERNEL;
    }
    return is_padded(&v) ? new_value(n, &v, err) : x;
}

/* 1: no number of it is below zero, so that zeros around it are never the largest. */
static int is_positive(const network *n, int x)
{
    const enum net_act act = act_of(n, n->value[x].same);
    return act == NET_RELU || act == NET_RELU6 || act == NET_SIGMOID || act == NET_HSIGMOID;
}

/* The one that networks here have: 3 x 3, stride 2, one pixel on every side. */
int net_max_pool(network *n, int x, const net_conv *window, int64_t kernel, hst_err *err)
{
    static const char other[] = "a max pooling is not of 3 x 3, stride 2 and a padding of 1";
    net_value v = made_of(n, NET_MAX_POOL, x, -1);
    net_layer l = {.kernel = 3};
    if (is_padded(&v) && !is_positive(n, x))
        return refuse(err, "zeros are put around numbers before their largest is taken");
    if (kernel != l.kernel || window->stride != 2 || v.vector)
        return refuse(err, other);
    const int64_t height = v.h, width = v.w;
    int rc = check_window(window, &l, &v, err);
    if (rc || !(padding_of(&l, height, width) & SYMMETRIC))
        return refuse(err, other);
    return new_value(n, &v, err);
}

int net_average(network *n, int x, hst_err *err)
{
    net_value v = made_of(n, NET_AVERAGE, x, -1);
    int rc = check_plain(n, x, "an average", err);
    if (rc)
        return rc;
    if (v.vector)
        return x;
    v.vector = 1;
    v.h = v.w = 1;
    return new_value(n, &v, err);
}

int net_reshape(network *n, int x, hst_err *err)
{
    return n->value[x].vector ? x : refuse(err, "a map is brought into another shape");
}

int net_head(network *n, int x, const struct net_head *head, hst_err *err)
{
    if (!n->value[x].vector || n->value[x].kind == NET_OTHER)
        return refuse(err, "its classifier stands at an odd place");
    n->head = *head;
    n->head.of = n->value[x].same + 1;
    net_value v = made_of(n, NET_OTHER, x, -1);
    v.c = 0;
    hst_fail(&n->passed, HST_EMODEL, "behind the classifier there is more of the network");
    return new_value(n, &v, err);
}

int net_other(network *n, int x, int rc, hst_err *err)
{
    if (rc != HST_EMODEL || !n->value[x].vector)
        return rc;
    if (err && !n->passed.code)
        n->passed = *err;
    net_value v = made_of(n, NET_OTHER, x, -1);
    return new_value(n, &v, err);
}

int net_operand(const network *n, int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return n->value[a].vector && !n->value[b].vector ? b : a;
}

int net_pads_as_tensorflow(const network *n)
{
    return n->padding & TF;
}
