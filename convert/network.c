#include "network.h"

#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_KERNEL = 31, MAX_STRIDE = 8, MAX_CHANNELS = 65536, MAX_PX = 4096 };

/* Ways of padding, as bits. */
enum { TF = 1, SYMMETRIC = 2 };

/* What may follow a convolution, in this order, each at most once. */
enum step { CONVOLVED, BIASED, NORMALISED, ACTIVATED, ADDED };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph is no chain of convolutions: %s", why);
}

int net_init(network *n, hst_arena *arena, size_t file_bytes, hst_err *err)
{
    *n = (network){.arena = arena, .scale = 1, .padding = TF | SYMMETRIC};
    n->left = file_bytes > SIZE_MAX / 32 ? SIZE_MAX : 8 * file_bytes + (1 << 20);
    n->layer = hst_arena_alloc(arena, NET_MAX_LAYERS, sizeof *n->layer, err);
    n->value = n->layer ? hst_arena_alloc(arena, NET_MAX_VALUES, sizeof *n->value, err) : NULL;
    return n->value ? 0 : HST_EMEM;
}

static int new_value(network *n, const net_value *v, hst_err *err)
{
    if (n->n_values == NET_MAX_VALUES)
        return refuse(err, "it has too many operators");
    n->value[n->n_values] = *v;
    return n->n_values++;
}

int net_is_pooled(const network *n, int x)
{
    return n->value[x].pooled;
}

int net_input(network *n, int64_t h, int64_t w, int64_t c, hst_err *err)
{
    if (n->n_values)
        return refuse(err, "it has more than one input");
    if (h < 0 || w < 0 || h > MAX_PX || w > MAX_PX || c != 3)
        return hst_fail(err, HST_EMODEL, "its input is %lld x %lld x %lld, expected an RGB picture",
                        (long long)h, (long long)w, (long long)c);
    if (h != w)
        return hst_fail(err, HST_EMODEL, "its input is %lld x %lld, expected a square",
                        (long long)h, (long long)w);
    n->px = h;
    return new_value(n, &(net_value){.layer = -1, .h = h, .w = w, .c = 3}, err);
}

/* ---- convolutions -----------------------------------------------------------------------------
 */

/* Positions of height, width, input, output among the dimensions. */
static const int places[][4] = {[NET_HWIO] = {0, 1, 2, 3},
                                [NET_OIHW] = {2, 3, 1, 0},
                                [NET_OHWI] = {1, 2, 3, 0},
                                [NET_1HWC] = {1, 2, 0, 3},
                                [NET_HWC1] = {0, 1, 3, 2}};

/* Turns a kernel in any layout into [h][w][i][o]. */
static int read_kernel(network *n, const net_conv *c, net_layer *l, hst_err *err)
{
    const hst_named *k = c->kernel;
    const int *at = places[c->layout];
    size_t count = hst_named_count(k), step[4] = {0, 0, 0, 1}, out = 0;
    if (count * sizeof *l->w > n->left)
        return refuse(err, "its kernels are far larger than the file");
    n->left -= count * sizeof *l->w;
    float *raw = hst_alloc(count, sizeof *raw, err);
    l->w = raw ? hst_arena_alloc(n->arena, count, sizeof *l->w, err) : NULL;
    int rc = l->w ? hst_named_floats(k, raw, err) : HST_EMEM;
    for (int i = 3; i-- > 0;)
        step[i] = step[i + 1] * (size_t)k->dim[i + 1];
    for (int64_t y = 0; rc == 0 && y < k->dim[at[0]]; y++)
        for (int64_t x = 0; x < k->dim[at[1]]; x++)
            for (int64_t i = 0; i < k->dim[at[2]]; i++) {
                const float *from = raw + (size_t)y * step[at[0]] + (size_t)x * step[at[1]] +
                                    (size_t)i * step[at[2]];
                for (int64_t o = 0; o < k->dim[at[3]]; o++)
                    l->w[out++] = from[(size_t)o * step[at[3]]];
            }
    free(raw);
    return rc;
}

static int check_kernel(const net_conv *c, int channels, net_layer *l, hst_err *err)
{
    const hst_named *k = c->kernel;
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
    *l = (net_layer){.depthwise = c->depthwise, .kernel = (int)k->dim[at[0]], .add = -1};
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

/* The ways that a layer may be said to pad; both where they are the same. size: of its input; 0
 * where it is not known, and then a multiple of the stride. */
static int padding_of(const net_layer *l, int64_t size)
{
    int64_t rest = size % l->stride;
    int64_t total = l->kernel - (rest ? rest : l->stride);
    int tf = 1, symmetric = l->kernel % 2;
    total = total > 0 ? total : 0;
    if (l->same)
        return TF | (total == l->kernel - 1 && l->kernel % 2 ? SYMMETRIC : 0);
    for (int i = 0; i < 4; i++) {
        tf &= l->pad[i] == (i < 2 ? total / 2 : total - total / 2);
        symmetric &= l->pad[i] == (l->kernel - 1) / 2;
    }
    return (tf ? TF : 0) | (symmetric ? SYMMETRIC : 0);
}

int net_conv2d(network *n, int x, const net_conv *c, hst_err *err)
{
    net_value v = n->value[x];
    net_layer l;
    if (v.pooled)
        return refuse(err, "a convolution stands behind the average");
    if (v.layer != n->n_layers - 1 || (v.layer >= 0 && n->layer[v.layer].tail != x))
        return refuse(err, "a convolution does not take what the one before it gives");
    if (n->n_layers == NET_MAX_LAYERS)
        return refuse(err, "it has too many");
    int64_t size = v.h;
    int rc = check_kernel(c, v.c, &l, err);
    rc = rc ? rc : check_window(c, &l, &v, err);
    if (rc)
        return rc;
    int padding = padding_of(&l, size);
    if (!padding) {
        return hst_fail(
            err, HST_EMODEL,
            "kernel '%.200s' pads by %d, %d, %d, %d (top, left, bottom, right), which is "
            "neither TensorFlow's way nor PyTorch's",
            c->kernel->name, l.pad[0], l.pad[1], l.pad[2], l.pad[3]);
    }
    n->padding &= padding;
    rc = read_kernel(n, c, &l, err);
    if (rc)
        return rc;
    v.layer = n->n_layers;
    v.c = l.out;
    l.tail = new_value(n, &v, err);
    if (l.tail >= 0)
        n->layer[n->n_layers++] = l;
    return l.tail;
}

/* ---- what follows one -------------------------------------------------------------------------
 */

/* *l: the layer that made x, if the next thing done to it may be step. */
static int extend(network *n, int x, int step, const char *what, net_layer **l, hst_err *err)
{
    const net_value *v = &n->value[x];
    *l = v->layer >= 0 && v->layer == n->n_layers - 1 ? &n->layer[v->layer] : NULL;
    if (*l && (*l)->tail == x && (*l)->step < step && !v->pooled && !v->pad[0] && !v->pad[1] &&
        !v->pad[2] && !v->pad[3])
        return 0;
    return hst_fail(err, HST_EMODEL,
                    "its graph is no chain of convolutions: %s stands at an odd place", what);
}

static int extended(network *n, int x, net_layer *l, int step, hst_err *err)
{
    net_value v = n->value[x];
    l->step = step;
    l->tail = new_value(n, &v, err);
    return l->tail;
}

static int read_vector(network *n, const hst_named *t, int n_out, float **out, hst_err *err)
{
    size_t count = hst_named_count(t);
    if (count != (size_t)n_out || t->n_dims < 1)
        return hst_fail(err, HST_EMODEL, "'%.200s' has %zu numbers, expected %d", t->name, count,
                        n_out);
    *out = hst_arena_alloc(n->arena, count, sizeof **out, err);
    return *out ? hst_named_floats(t, *out, err) : HST_EMEM;
}

int net_bias(network *n, int x, const hst_named *bias, hst_err *err)
{
    net_layer *l;
    int rc = extend(n, x, BIASED, "a bias", &l, err);
    rc = rc ? rc : read_vector(n, bias, l->out, &l->bias, err);
    return rc ? rc : extended(n, x, l, BIASED, err);
}

int net_batchnorm(network *n, int x, const hst_named *const of[4], double epsilon, hst_err *err)
{
    net_layer *l;
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

int net_activate(network *n, int x, enum net_act act, hst_err *err)
{
    net_layer *l;
    if (act == NET_LINEAR)
        return x;
    int rc = extend(n, x, ACTIVATED, "an activation", &l, err);
    if (rc)
        return rc;
    l->act = act;
    return extended(n, x, l, ACTIVATED, err);
}

int net_add(network *n, int x, int y, hst_err *err)
{
    int last = n->n_layers - 1;
    if (n->value[x].layer != last) { /* either order */
        int z = x;
        x = y;
        y = z;
    }
    const net_value *a = &n->value[x], *b = &n->value[y];
    net_layer *l;
    int rc = extend(n, x, ADDED, "an addition", &l, err);
    if (rc)
        return rc;
    if (b->layer < 0 || b->layer == last || n->layer[b->layer].tail != y || b->pooled) {
        return refuse(err, "an addition takes something else than two convolutions' outputs");
    }
    if (a->c != b->c || a->h != b->h || a->w != b->w) {
        return refuse(err, "an addition takes outputs of different shapes");
    }
    l->add = b->layer;
    return extended(n, x, l, ADDED, err);
}

int net_pad(network *n, int x, const int64_t pad[4], hst_err *err)
{
    net_value v = n->value[x];
    for (int i = 0; i < 4; i++) {
        if (pad[i] < 0 || pad[i] > MAX_KERNEL || v.pooled) {
            return refuse(err, "a padding that no convolution needs");
        }
        v.pad[i] += pad[i]; /* a sum that is too large is found by check_window */
        if (v.pad[i] > MAX_KERNEL)
            v.pad[i] = MAX_KERNEL;
    }
    int y = new_value(n, &v, err);
    if (y >= 0 && v.layer >= 0 && n->layer[v.layer].tail == x)
        n->layer[v.layer].tail = y;
    return y;
}

int net_affine(network *n, int x, double scale, double shift, hst_err *err)
{
    net_value v = n->value[x];
    if (v.layer >= 0 || v.pooled || n->n_layers) {
        return refuse(err, "numbers are added or multiplied between convolutions");
    }
    n->scale *= scale;
    n->shift = n->shift * scale + shift;
    return new_value(n, &v, err);
}

int net_average(network *n, int x, hst_err *err)
{
    net_value v = n->value[x];
    if (v.pooled || v.layer != n->n_layers - 1 || v.layer < 0 || n->layer[v.layer].tail != x) {
        return refuse(err, "the average is not over the last convolution's output");
    }
    v.pooled = n->pooled = 1;
    return new_value(n, &v, err);
}

/* ---- the result -------------------------------------------------------------------------------
 */

/* 1: every layer has batch norm of one epsilon, and no bias. */
static int is_normalised(const network *n)
{
    for (int i = 0; i < n->n_layers; i++)
        if (!n->layer[i].gamma || n->layer[i].bias || n->layer[i].epsilon != n->layer[0].epsilon)
            return 0;
    return 1;
}

/* y = gamma (conv + bias - mean) / sqrt(variance + epsilon) + beta as kernel and bias alone. */
static int fold(network *n, net_layer *l, hst_err *err)
{
    size_t n_out = (size_t)l->out;
    size_t rows = (size_t)l->kernel * (size_t)l->kernel * (size_t)(l->depthwise ? 1 : l->in);
    if (!l->bias)
        l->bias = hst_arena_alloc(n->arena, n_out, sizeof *l->bias, err);
    if (!l->bias)
        return HST_EMEM;
    for (size_t c = 0; l->gamma && c < n_out; c++) {
        double scale = l->gamma[c] / sqrt(l->variance[c] + l->epsilon);
        l->bias[c] = (float)(l->beta[c] + ((double)l->bias[c] - l->mean[c]) * scale);
        for (size_t r = 0; r < rows; r++)
            l->w[r * n_out + c] = (float)(l->w[r * n_out + c] * scale);
    }
    return 0;
}

static int add_tensor(weights *w, int i, const char *part, const hst_named *like, hst_err *err)
{
    char name[64];
    hst_named t = *like;
    snprintf(name, sizeof name, "op%d/%s", i, part);
    t.name = name;
    t.n_bytes = sizeof(float);
    for (int d = 0; d < t.n_dims; d++)
        t.n_bytes *= (size_t)t.dim[d];
    return weights_add(w, &t, err);
}

static int emit_layer(network *n, weights *w, int i, int normalised, hst_err *err)
{
    net_layer *l = &n->layer[i];
    hst_named kernel = {.n_dims = 4, .dim = {l->kernel, l->kernel, l->in, l->out}};
    if (l->depthwise) {
        kernel.dim[2] = l->out;
        kernel.dim[3] = 1;
    }
    int rc = normalised ? 0 : fold(n, l, err);
    kernel.data = l->w;
    rc = rc ? rc : add_tensor(w, i, l->depthwise ? "depthwise_kernel" : "kernel", &kernel, err);
    const struct {
        const char *name;
        const float *data;
    } part[] = {{"bias", normalised ? NULL : l->bias},
                {"gamma", normalised ? l->gamma : NULL},
                {"beta", normalised ? l->beta : NULL},
                {"moving_mean", normalised ? l->mean : NULL},
                {"moving_variance", normalised ? l->variance : NULL}};
    for (int k = 0; rc == 0 && k < 5; k++)
        if (part[k].data)
            rc = add_tensor(w, i, part[k].name,
                            &(hst_named){.n_dims = 1, .dim = {l->out}, .data = part[k].data}, err);
    return rc;
}

static int say_ops(const network *n, weights *w, hst_err *err)
{
    hst_buf ops = HST_BUF(64 * 1024);
    for (int i = 0; i < n->n_layers; i++) {
        const net_layer *l = &n->layer[i];
        hst_buf_printf(&ops, "%s%d%c", i ? " " : "", l->stride, "nr6"[l->act]);
        if (l->add >= 0)
            hst_buf_printf(&ops, "+%d", l->add);
    }
    int rc = hst_buf_check(&ops, err);
    rc = rc ? rc : weights_say(w, err, "ops", "%s", ops.p);
    hst_buf_free(&ops);
    return rc;
}

int net_pads_as_tensorflow(const network *n)
{
    return n->padding & TF;
}

/* What the graph itself does to the input, if anything, must lead to the usual range; the input's
 * range then follows. */
static int say_scaling(const network *n, weights *w, hst_err *err)
{
    static const struct {
        double scale, shift;
        const char *scaling; /* of pixels in 0..255 up to the first convolution */
    } known[] = {{2, -1, "pm1"}, {1 / 127.5, -1, "pm1"}, {1 / 255.0, 0, "01"}};
    if (n->scale == 1 && n->shift == 0)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (fabs(n->scale - known[i].scale) < 1e-6 && fabs(n->shift - known[i].shift) < 1e-6)
            return weights_say(w, err, "scaling", "%s", known[i].scaling);
    return hst_fail(err, HST_EMODEL,
                    "its graph takes %g times its input plus %g, for no known input", n->scale,
                    n->shift);
}

int net_finish(network *n, weights *w, hst_err *err)
{
    int normalised = is_normalised(n), rc = 0;
    if (!n->n_layers)
        return refuse(err, "it has none");
    if (!n->padding)
        return refuse(err, "some pad as TensorFlow does, others as PyTorch does");
    for (int i = 0; rc == 0 && i < n->n_layers; i++)
        rc = emit_layer(n, w, i, normalised, err);
    rc = rc ? rc : say_ops(n, w, err);
    rc = rc ? rc : say_scaling(n, w, err);
    rc = rc ? rc : weights_say(w, err, "padding", net_pads_as_tensorflow(n) ? "tf" : "symmetric");
    if (rc == 0 && n->px)
        rc = weights_say(w, err, "image_px", "%lld", (long long)n->px);
    if (rc == 0 && normalised)
        rc = weights_say(w, err, "bn_epsilon", "%.9g", n->layer[0].epsilon);
    return rc;
}
