#include "evaluate.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NUMBERS = 1 << 27 };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph cannot be computed: %s", why);
}

void ev_free(ev_array *a)
{
    free(a->own);
    *a = (ev_array){0};
}

size_t ev_count(const ev_array *a)
{
    size_t n = 1;
    for (int i = 0; i < a->n_dims; i++)
        n *= (size_t)a->dim[i];
    return n;
}

int ev_new(evaluator *e, int n_dims, const int64_t *dim, ev_array *out, hst_err *err)
{
    size_t n = 1;
    ev_array a = {.n_dims = n_dims};
    if (n_dims < 0 || n_dims > EV_DIMS)
        return refuse(err, "a value has too many dimensions");
    for (int i = 0; i < n_dims; i++) {
        if (dim[i] < 0 || dim[i] > MOST_NUMBERS || !hst_mul_ok(n, (size_t)dim[i], &n) ||
            n > MOST_NUMBERS)
            return refuse(err, "a value is too large");
        a.dim[i] = dim[i];
    }
    e->left -= (double)n + 100;
    if (e->left < 0)
        return refuse(err, "it computes far more than its weights let expect");
    a.own = hst_alloc(n + 1, sizeof *a.own, err);
    a.x = a.own;
    *out = a;
    return a.own ? 0 : HST_EMEM;
}

/* ---- element by element ---- */

/* The shape of what two shapes together lead to. */
static int common_shape(const ev_array *a, const ev_array *b, int64_t dim[EV_DIMS], hst_err *err)
{
    const int n = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    for (int i = 0; i < n; i++) {
        const int ia = i - (n - a->n_dims), ib = i - (n - b->n_dims);
        const int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return refuse(err, "values of different shapes are taken together");
        dim[i] = da == 1 ? db : da;
    }
    return n;
}

/* How far apart a's numbers are along the axes of an array of n dimensions that it goes with. */
static void steps_of(const ev_array *a, int n, int64_t step[EV_DIMS])
{
    int64_t at = 1;
    for (int i = n; i-- > 0;) {
        const int ia = i - (n - a->n_dims);
        const int64_t d = ia < 0 ? 1 : a->dim[ia];
        step[i] = d == 1 ? 0 : at;
        at *= d;
    }
}

static float apply(char op, float a, float b, int whole)
{
    switch (op) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    case '/':
        return !whole ? a / b : b != 0 ? truncf(a / b) : 0;
    case '%': /* of the sign of b */
        return b != 0 ? a - b * floorf(a / b) : 0;
    case '^':
        return b == 2 ? a * a : powf(a, b);
    case '<':
        return a < b;
    case '=':
        return a == b;
    case 'm':
        return a < b ? a : b;
    case 'M':
        return a > b ? a : b;
    default:
        return a != 0 && b != 0;
    }
}

/* n pairs; steps 0 or 1 within them. */
static void apply_row(char op, const float *a, int64_t sa, const float *b, int64_t sb, int whole,
                      float *y, int64_t n)
{
    for (int64_t i = 0; op == '+' && i < n; i++)
        y[i] = a[i * sa] + b[i * sb];
    for (int64_t i = 0; op == '*' && i < n; i++)
        y[i] = a[i * sa] * b[i * sb];
    for (int64_t i = 0; op != '+' && op != '*' && i < n; i++)
        y[i] = apply(op, a[i * sa], b[i * sb], whole);
}

/* The next place of the axes in front of the last one; *a and *b go along. */
static void next_place(int n, const int64_t *dim, const int64_t *sa, const int64_t *sb, int64_t *at,
                       int64_t *a, int64_t *b)
{
    for (int i = n - 1; i-- > 0;) {
        *a += sa[i];
        *b += sb[i];
        if (++at[i] < dim[i])
            return;
        *a -= sa[i] * dim[i];
        *b -= sb[i] * dim[i];
        at[i] = 0;
    }
}

int ev_binary(evaluator *e, char op, const ev_array *a, const ev_array *b, ev_array *out,
              hst_err *err)
{
    int64_t dim[EV_DIMS] = {0}, sa[EV_DIMS] = {0}, sb[EV_DIMS] = {0}, at[EV_DIMS] = {0};
    int64_t pa = 0, pb = 0;
    const int n = common_shape(a, b, dim, err);
    int rc = n < 0 ? n : ev_new(e, n, dim, out, err);
    if (rc)
        return rc;
    const int64_t row = n ? dim[n - 1] : 1, rows = row ? (int64_t)ev_count(out) / row : 0;
    steps_of(a, n, sa);
    steps_of(b, n, sb);
    out->whole = a->whole && b->whole;
    for (int64_t r = 0; r < rows; r++) {
        apply_row(op, a->x + pa, n ? sa[n - 1] : 0, b->x + pb, n ? sb[n - 1] : 0, out->whole,
                  out->own + r * row, row);
        next_place(n, dim, sa, sb, at, &pa, &pb);
    }
    return 0;
}

static float relu(float x)
{
    return x > 0 ? x : 0;
}
static float relu6(float x)
{
    return fminf(relu(x), 6);
}
static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}
static float swish(float x)
{
    return x * sigmoid(x);
}
static float hard_sigmoid(float x)
{
    return fmaxf(0, fminf(1, x / 6 + 0.5F));
}
static float hard_swish(float x)
{
    return x * hard_sigmoid(x);
}
static float gelu(float x)
{
    return 0.5F * x * (1 + erff(x * 0.70710678F));
}
static float gelu_tanh(float x)
{
    return 0.5F * x * (1 + tanhf(0.79788456F * (x + 0.044715F * x * x * x)));
}
static float rsqrt(float x)
{
    return 1 / sqrtf(x);
}
static float negative(float x)
{
    return -x;
}
static float reciprocal(float x)
{
    return 1 / x;
}
static float is_zero(float x)
{
    return x == 0;
}
static float is_not_zero(float x)
{
    return x != 0;
}
static float is_nan(float x)
{
    return isnan(x);
}
static float itself(float x)
{
    return x;
}

static float (*const functions[EV_FUNCTIONS])(float x) = {
    [EV_RELU] = relu,
    [EV_RELU6] = relu6,
    [EV_SIGMOID] = sigmoid,
    [EV_SWISH] = swish,
    [EV_HARD_SIGMOID] = hard_sigmoid,
    [EV_HARD_SWISH] = hard_swish,
    [EV_GELU] = gelu,
    [EV_GELU_TANH] = gelu_tanh,
    [EV_ERF] = erff,
    [EV_TANH] = tanhf,
    [EV_EXP] = expf,
    [EV_SQRT] = sqrtf,
    [EV_RSQRT] = rsqrt,
    [EV_NEGATIVE] = negative,
    [EV_RECIPROCAL] = reciprocal,
    [EV_ABS] = fabsf,
    [EV_SIN] = sinf,
    [EV_COS] = cosf,
    [EV_FLOOR] = floorf,
    [EV_CEIL] = ceilf,
    [EV_TRUNC] = truncf,
    [EV_NOT] = is_zero,
    [EV_IS_NOT_ZERO] = is_not_zero,
    [EV_IS_NAN] = is_nan,
    [EV_ITSELF] = itself,
};

int ev_unary(evaluator *e, enum ev_function f, const ev_array *a, ev_array *out, hst_err *err)
{
    const size_t n = ev_count(a);
    e->left -= 10 * (double)n;
    const int rc = ev_new(e, a->n_dims, a->dim, out, err);
    out->whole = a->whole;
    for (size_t i = 0; rc == 0 && i < n; i++)
        out->own[i] = functions[f](a->x[i]);
    return rc;
}

int ev_expand(evaluator *e, const ev_array *a, int n_dims, const int64_t *dim, ev_array *out,
              hst_err *err)
{
    ev_array zeros = {0};
    int rc = ev_new(e, n_dims, dim, &zeros, err);
    rc = rc ? rc : ev_binary(e, '+', a, &zeros, out, err);
    out->whole = a->whole;
    ev_free(&zeros);
    return rc;
}

int ev_where(evaluator *e, const ev_array *a, const ev_array *yes, const ev_array *no,
             ev_array *out, hst_err *err)
{
    ev_array all = {0}, c = {0}, y = {0}, n = {0};
    int rc = ev_binary(e, '+', yes, no, &all, err);
    rc = rc ? rc : ev_expand(e, a, all.n_dims, all.dim, &c, err);
    rc = rc ? rc : ev_expand(e, yes, c.n_dims, c.dim, &y, err);
    rc = rc ? rc : ev_expand(e, no, c.n_dims, c.dim, &n, err);
    rc = rc ? rc : ev_new(e, c.n_dims, c.dim, out, err);
    for (size_t i = 0; rc == 0 && i < ev_count(out); i++)
        out->own[i] = c.x[i] != 0 ? y.x[i] : n.x[i];
    out->whole = yes->whole && no->whole;
    ev_free(&all);
    ev_free(&c);
    ev_free(&y);
    ev_free(&n);
    return rc;
}
