/* op_activation.c - activations other than ReLU6, each a step of its own in a plan. kernels.h has
 * their formulas; here are their slopes. */
#include "nn/step.h"

static int same_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    (void)err;
    n->out = *in;
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

/* This thread's rows. */
static void run(const hst_step *s, const hst_run_args *a, enum hst_act act)
{
    const hst_share share = hst_share_of(a, s->out.h);
    const size_t row = (size_t)s->out.w * (size_t)s->out.c, from = (size_t)share.first * row;
    a->kernels->activate(act, a->x + from, a->y + from, (size_t)(share.end - share.first) * row);
}

static void relu_step(const hst_step *s, const hst_run_args *a)
{
    run(s, a, HST_ACT_RELU);
}

static void sigmoid_step(const hst_step *s, const hst_run_args *a)
{
    run(s, a, HST_ACT_SIGMOID);
}

static void hsigmoid_step(const hst_step *s, const hst_run_args *a)
{
    run(s, a, HST_ACT_HSIGMOID);
}

static void hswish_step(const hst_step *s, const hst_run_args *a)
{
    run(s, a, HST_ACT_HSWISH);
}

static void swish_step(const hst_step *s, const hst_run_args *a)
{
    run(s, a, HST_ACT_SWISH);
}

/* ---- backward: dx += dy act'(x), y = act(x) -----------------------------------------------------
 */

static size_t count(const hst_op_args *a)
{
    return (size_t)a->in->h * (size_t)a->in->w * (size_t)a->in->c;
}

static void relu_backward(const hst_op_args *a)
{
    for (size_t i = 0; i < count(a); i++)
        a->dx[0][i] += a->y[i] <= 0 ? 0 : a->dy[i];
}

static void sigmoid_backward(const hst_op_args *a)
{
    for (size_t i = 0; i < count(a); i++)
        a->dx[0][i] += a->dy[i] * (a->y[i] * (1 - a->y[i]));
}

static void hsigmoid_backward(const hst_op_args *a)
{
    for (size_t i = 0; i < count(a); i++)
        a->dx[0][i] += a->y[i] <= 0 || a->y[i] >= 1 ? 0 : a->dy[i] * (1.0f / 6);
}

static void hswish_backward(const hst_op_args *a)
{
    for (size_t i = 0; i < count(a); i++) {
        const float x = a->x[0][i];
        float slope = x * (1.0f / 3) + 0.5f;
        slope = x <= -3 ? 0 : x >= 3 ? 1 : slope;
        a->dx[0][i] += a->dy[i] * slope;
    }
}

/* s + x s (1 - s), s = sigmoid(x) */
static void swish_backward(const hst_op_args *a)
{
    enum { CHUNK = 256 };
    float s[CHUNK];
    const size_t all = count(a);
    for (size_t at = 0; at < all; at += CHUNK) {
        const size_t n = all - at < CHUNK ? all - at : CHUNK;
        const float *x = a->x[0] + at;
        a->kernels->activate(HST_ACT_SIGMOID, x, s, n);
        for (size_t i = 0; i < n; i++)
            a->dx[0][at + i] += a->dy[at + i] * (s[i] * (1 + x[i] * (1 - s[i])));
    }
}

/* The members that all have. */
#define ACTIVATION .shape = same_shape, .flops = one_flop

const hst_op hst_op_relu = {.name = "relu",
                            ACTIVATION,
                            .step = relu_step,
                            .backward = relu_backward,
                            .reads = HST_READS_OUTPUT};
const hst_op hst_op_sigmoid = {.name = "sigmoid",
                               ACTIVATION,
                               .step = sigmoid_step,
                               .backward = sigmoid_backward,
                               .reads = HST_READS_OUTPUT};
const hst_op hst_op_hsigmoid = {.name = "hsigmoid",
                                ACTIVATION,
                                .step = hsigmoid_step,
                                .backward = hsigmoid_backward,
                                .reads = HST_READS_OUTPUT};
const hst_op hst_op_hswish = {.name = "hswish",
                              ACTIVATION,
                              .step = hswish_step,
                              .backward = hswish_backward,
                              .reads = HST_READS_INPUT};
const hst_op hst_op_swish = {.name = "swish",
                             ACTIVATION,
                             .step = swish_step,
                             .backward = swish_backward,
                             .reads = HST_READS_INPUT};
