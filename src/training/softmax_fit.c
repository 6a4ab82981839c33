#include "training/softmax_fit.h"
#include "base/mem.h"
#include "training/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rows' part of the loss along a line: logits(t) = logits + t * slope, so that trying another
 * step length costs no product with the features. */
typedef struct solver {
    const hst_softmax_fit *f;
    size_t n, classes, size, n_kernel; /* rows, classes, numbers in theta, of those the kernel */
    size_t parts, n_scratch;
    double total_weight;
    double *logits, *slope; /* [n][classes] */
    double *residual;       /* [n][classes]: w (softmax - one-hot) / sum w at the last t tried */
    double *loss, *along;   /* [parts]: loss and its derivative in t */
    double *g, *g_new, *d;  /* [size] */
    double *part;           /* [parts][n_kernel] */
    float *packed;          /* the kernel packed for hst_design_forward */
    float *scratch;         /* [parts][n_scratch] */
    hst_product by;         /* the kernel to multiply with */
    double *product;        /* where forward goes */
    double t;
    hst_lbfgs *history;
} solver;

size_t hst_softmax_size(const hst_design *r, int n_classes)
{
    return (size_t)n_classes * ((size_t)r->p + 1);
}

static void solver_clear(solver *s)
{
    double *const all[] = {s->logits, s->slope, s->residual, s->loss, s->along,
                           s->g,      s->g_new, s->d,        s->part};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(s->packed);
    free(s->scratch);
    hst_lbfgs_free(s->history);
}

static double *numbers(size_t a, size_t b, hst_err *err)
{
    size_t n;
    if (hst_mul_ok(a, b, &n))
        return hst_alloc(n, sizeof(double), err);
    hst_fail(err, HST_EMEM, "out of memory: %zu x %zu numbers", a, b);
    return NULL;
}

static double row_weight(const hst_softmax_fit *f, size_t i)
{
    return f->weight ? f->weight[i] : 1;
}

static int solver_make(solver *s, const hst_softmax_fit *f, hst_err *err)
{
    size_t blocks = hst_design_blocks(f->rows);
    size_t packed = hst_design_kernel_size(f->rows, f->n_classes);
    *s = (solver){.f = f, .n = f->rows->n, .classes = (size_t)f->n_classes};
    s->parts = blocks < HST_FIT_PARTS ? blocks : HST_FIT_PARTS;
    s->n_scratch = hst_design_scratch(f->rows, f->n_classes);
    s->size = hst_softmax_size(f->rows, f->n_classes);
    s->n_kernel = s->size - s->classes;
    for (size_t i = 0; i < s->n; i++)
        s->total_weight += row_weight(f, i);
    if (!(s->logits = numbers(s->n, s->classes, err)) ||
        !(s->slope = numbers(s->n, s->classes, err)) ||
        !(s->residual = numbers(s->n, s->classes, err)) || !(s->loss = numbers(s->parts, 1, err)) ||
        !(s->along = numbers(s->parts, 1, err)) || !(s->g = numbers(s->size, 1, err)) ||
        !(s->g_new = numbers(s->size, 1, err)) || !(s->d = numbers(s->size, 1, err)) ||
        !(s->part = numbers(s->parts, s->n_kernel, err)) ||
        !(s->packed = hst_alloc(packed, sizeof *s->packed, err)) ||
        !(s->scratch = hst_alloc(s->parts * s->n_scratch, sizeof *s->scratch, err)) ||
        !(s->history = hst_lbfgs_new(s->size, err)))
        return HST_EMEM;
    return 0;
}

/* The blocks of part i: *first .. *end - 1. */
static void part_blocks(const solver *s, size_t i, size_t *first, size_t *end)
{
    size_t blocks = hst_design_blocks(s->f->rows);
    *first = blocks * i / s->parts;
    *end = blocks * (i + 1) / s->parts;
}

static void forward_part(void *arg, size_t i, int thread)
{
    const solver *s = arg;
    size_t block, end;
    (void)thread;
    part_blocks(s, i, &block, &end);
    for (; block < end; block++)
        hst_design_forward(&s->by, block, s->scratch + i * s->n_scratch, s->product);
}

static void backward_part(void *arg, size_t i, int thread)
{
    const solver *s = arg;
    double *sum = s->part + i * s->n_kernel;
    size_t block, end;
    (void)thread;
    part_blocks(s, i, &block, &end);
    memset(sum, 0, s->n_kernel * sizeof *sum);
    for (; block < end; block++)
        hst_design_backward(&s->by, block, s->residual, s->scratch + i * s->n_scratch, sum);
}

/* The rows of part i: *first .. *end - 1. */
static void part_rows(const solver *s, size_t i, size_t *first, size_t *end)
{
    part_blocks(s, i, first, end);
    *first *= HST_DESIGN_BLOCK;
    *end = *end * HST_DESIGN_BLOCK < s->n ? *end * HST_DESIGN_BLOCK : s->n;
}

/* The residual, loss and derivative of part i at logits + t * slope, each class by itself. */
static void marks_part(void *arg, size_t i, int thread)
{
    const solver *s = arg;
    size_t first, end;
    double loss = 0, along = 0;
    (void)thread;
    part_rows(s, i, &first, &end);
    for (size_t r = first; r < end; r++) {
        const double w = row_weight(s->f, r) / s->total_weight;
        for (size_t c = 0; c < s->classes; c++) {
            const size_t at = r * s->classes + c;
            const double z = s->logits[at] + s->t * s->slope[at], e = exp(-fabs(z));
            const int has = s->f->marks[at];
            s->residual[at] = s->f->idle[c] ? 0 : w * ((z > 0 ? 1 : e) / (1 + e) - has);
            along += s->residual[at] * s->slope[at];
            loss += s->f->idle[c] ? 0 : w * (log1p(e) + ((z > 0) == has ? 0 : fabs(z)));
        }
    }
    s->loss[i] = loss;
    s->along[i] = along;
}

/* The residual, loss and derivative of part i at logits + t * slope. */
static void softmax_part(void *arg, size_t i, int thread)
{
    const solver *s = arg;
    size_t first, end;
    double loss = 0, along = 0;
    (void)thread;
    part_rows(s, i, &first, &end);
    for (size_t r = first; r < end; r++) {
        const double *z = s->logits + r * s->classes, *slope = s->slope + r * s->classes;
        double *p = s->residual + r * s->classes, largest = -INFINITY, sum = 0;
        size_t truth = (size_t)s->f->label[r];
        double w = row_weight(s->f, r) / s->total_weight;
        for (size_t c = 0; c < s->classes; c++) {
            p[c] = z[c] + s->t * slope[c];
            largest = p[c] > largest ? p[c] : largest;
        }
        double right = p[truth] - largest;
        for (size_t c = 0; c < s->classes; c++)
            sum += p[c] = exp(p[c] - largest);
        for (size_t c = 0; c < s->classes; c++) {
            p[c] = w * (p[c] / sum - (c == truth));
            along += p[c] * slope[c];
        }
        loss += w * (log(sum) - right);
    }
    s->loss[i] = loss;
    s->along[i] = along;
}

static void each_part(solver *s, hst_item_fn *work)
{
    hst_executor_for(s->f->executor, s->parts, work, s);
}

static void find_residual(solver *s)
{
    each_part(s, s->f->marks ? marks_part : softmax_part);
}

/* The penalty is strength / 2 * kernels_dot(k, k): classes with an l2 of their own are weighted
 * with it in the latter. */
static double strength(const solver *s)
{
    return s->f->l2_of ? 1 : s->f->l2;
}

static double kernels_dot(const solver *s, const double *a, const double *b)
{
    const size_t p = s->n_kernel / s->classes;
    double sum = 0;
    if (!s->f->l2_of)
        return hst_dot(a, b, s->n_kernel);
    for (size_t c = 0; c < s->classes; c++)
        sum += s->f->l2_of[c] * hst_dot(a + c * p, b + c * p, p);
    return sum;
}

static void multiply(solver *s, const double *vector, double *product)
{
    s->by = (hst_product){.rows = s->f->rows,
                          .n_classes = s->f->n_classes,
                          .packed = s->packed,
                          .bias = vector + s->n_kernel};
    s->by.zeros = hst_design_kernel(s->f->rows, vector, s->f->n_classes, s->scratch, s->packed);
    s->product = product;
    each_part(s, forward_part);
}

/* g = gradient of loss and penalty, from the residual. */
static void gradient(solver *s, const double *theta, double *g)
{
    const size_t p = s->n_kernel / s->classes;
    each_part(s, backward_part);
    for (size_t i = 0; i < s->n_kernel; i++)
        g[i] = (s->f->l2_of ? s->f->l2_of[i / p] : s->f->l2) * theta[i];
    for (size_t c = 0; s->f->marks && c < s->classes; c++)
        if (s->f->idle[c])
            memset(g + c * p, 0, p * sizeof *g);
    for (size_t part = 0; part < s->parts; part++)
        for (size_t i = 0; i < s->n_kernel; i++)
            g[i] += s->part[part * s->n_kernel + i];
    for (size_t c = 0; c < s->classes; c++) {
        g[s->n_kernel + c] = 0;
        for (size_t r = 0; r < s->n; r++)
            g[s->n_kernel + c] += s->residual[r * s->classes + c];
    }
}

static double sum_parts(const solver *s, const double *part)
{
    double sum = 0;
    for (size_t i = 0; i < s->parts; i++)
        sum += part[i];
    return sum;
}

/* A line's slope as a function of t: rises, as the loss is convex; its zero is the minimum. */
typedef struct line {
    double tk, kk;       /* theta . d and d . d over the kernel, for the penalty */
    double low, s_low;   /* the longest step known too short, and the slope there (< 0) */
    double high, s_high; /* the shortest known too long; high 0: none yet */
} line;

/* The slope at t. */
static double try_step(solver *s, const line *l, double t)
{
    s->t = t;
    find_residual(s);
    return sum_parts(s, s->along) + strength(s) * (l->tk + t * l->kk);
}

/* Where a straight line through the slopes crosses zero, kept away from the ends. */
static double next_try(const line *l, double before, double s_before)
{
    if (l->high > 0) {
        double width = l->high - l->low, t = l->low - l->s_low * width / (l->s_high - l->s_low);
        double least = l->low + 0.1 * width, most = l->high - 0.1 * width;
        return !(t > least) ? least : t < most ? t : most;
    }
    double t = l->low - l->s_low * (l->low - before) / (l->s_low - s_before);
    return !(t > 1.5 * l->low) ? 1.5 * l->low : t < 10 * l->low ? t : 10 * l->low;
}

/* The step along d where the slope has fallen to a third of its size at 0; 0 when rounding errors
 * leave nothing to gain. Leaves its residual. Uses slopes only: near the minimum they are still
 * exact when differences of losses are not. */
static double line_search(solver *s, const double *theta, double s0)
{
    line l = {.tk = kernels_dot(s, theta, s->d), .kk = kernels_dot(s, s->d, s->d), .s_low = s0};
    double step = 1;
    for (int i = 0; i < 30; i++) {
        double before = l.low, s_before = l.s_low, slope = try_step(s, &l, step);
        if (fabs(slope) <= 0.33 * -s0)
            return step;
        if (slope < 0) {
            l.low = step;
            l.s_low = slope;
        } else {
            l.high = step;
            l.s_high = slope;
        }
        step = next_try(&l, before, s_before);
    }
    (void)try_step(s, &l, l.low);
    return l.low;
}

/* One step of L-BFGS; 0 when there is nothing left to gain. */
static int step(solver *s, double *theta)
{
    hst_lbfgs_direction(s->history, s->g, s->d);
    double s0 = hst_dot(s->g, s->d, s->size);
    if (!(s0 < 0)) {
        hst_lbfgs_reset(s->history);
        hst_lbfgs_direction(s->history, s->g, s->d);
        s0 = hst_dot(s->g, s->d, s->size);
    }
    multiply(s, s->d, s->slope);
    const double t = line_search(s, theta, s0);
    if (t == 0)
        return 0;
    for (size_t i = 0; i < s->size; i++)
        theta[i] += t * s->d[i];
    for (size_t i = 0; i < s->n * s->classes; i++)
        s->logits[i] += t * s->slope[i];
    gradient(s, theta, s->g_new);
    hst_lbfgs_add(s->history, t, s->d, s->g, s->g_new);
    double *old = s->g;
    s->g = s->g_new;
    s->g_new = old;
    return 1;
}

/* Logits, residual and gradient at theta. */
static void start(solver *s, const double *theta)
{
    multiply(s, theta, s->logits);
    s->t = 0;
    find_residual(s);
    gradient(s, theta, s->g);
}

int hst_softmax_run(const hst_softmax_fit *f, double *theta, double *logits, hst_err *err)
{
    solver s;
    int moved = 1, rc = solver_make(&s, f, err);
    if (rc == 0)
        start(&s, theta);
    for (int i = 0; rc == 0 && moved && i < f->max_steps; i++) {
        if (sqrt(hst_dot(s.g, s.g, s.size)) <= f->tolerance)
            break;
        moved = step(&s, theta);
        if (f->tick)
            rc = f->tick(f->tick_arg, err);
    }
    if (rc == 0 && logits)
        memcpy(logits, s.logits, s.n * s.classes * sizeof *logits);
    solver_clear(&s);
    return rc;
}

int hst_softmax_loss(const hst_softmax_fit *f, const double *theta, double *loss, double *g,
                     hst_err *err)
{
    solver s;
    int rc = solver_make(&s, f, err);
    if (rc == 0) {
        start(&s, theta);
        *loss = sum_parts(&s, s.loss) + strength(&s) / 2 * kernels_dot(&s, theta, theta);
        memcpy(g, s.g, s.size * sizeof *g);
    }
    solver_clear(&s);
    return rc;
}
