#include "training/softmax_fit.h"
#include "base/mem.h"
#include "training/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST = 8,  /* fits side by side */
    TABLES = 3 /* of each: logits, slope, residual */
};

/* The rows' part of the loss along a line: logits(t) = logits + t * slope, so that trying another
 * step length costs no product with the features. */
typedef struct solver {
    const hst_softmax_fit *f;
    const struct together *all;
    size_t n, classes, size, n_kernel; /* rows, classes, numbers in theta, of those the kernel */
    size_t parts;
    double total_weight;
    double *logits, *slope; /* [n][classes] */
    double *residual;       /* [n][classes]: w (softmax - one-hot) / sum w at the last t tried */
    double *loss, *along;   /* [parts]: loss and its derivative in t */
    double *g, *g_new, *d;  /* [size] */
    double *part;           /* [parts][n_kernel] */
    const double *by;       /* what the rows are multiplied with: as theta */
    double *product;        /* [n][classes] where that goes */
    double t;               /* the last tried */
    int over;               /* nothing is left to gain */
    hst_lbfgs *history;
} solver;

/* Those that run side by side. */
typedef struct together {
    const hst_softmax_fits *given;
    const hst_design *rows;
    size_t parts, n_scratch;
    float *scratch;   /* [parts][n_scratch] */
    float *kernel;    /* [p][classes of all], the kernels to multiply with side by side */
    float *packed;    /* the same, packed */
    hst_spill *table; /* where logits, slope and residual of all live */
    solver solver[MOST];
    solver *now[MOST]; /* those that are not over */
    size_t n_now;
    hst_executor *inside; /* of what one solver does by itself; NULL: several do it side by side */
} together;

size_t hst_softmax_size(const hst_design *r, int n_classes)
{
    return (size_t)n_classes * ((size_t)r->p + 1);
}

static void solver_clear(solver *s)
{
    double *const all[] = {s->loss, s->along, s->g, s->g_new, s->d, s->part};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
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

/* Row r was looked at in so many of the tables; told once for a block of them. */
static void passed(const solver *s, size_t r, size_t tables)
{
    if (r % HST_DESIGN_BLOCK == 0)
        hst_spill_passed(s->all->table, HST_DESIGN_BLOCK * tables * s->classes * sizeof *s->logits);
}

static int is_held_out(const hst_softmax_fit *f, size_t i)
{
    return f->fold && f->fold[i] == f->k;
}

static double row_weight(const hst_softmax_fit *f, size_t i)
{
    return is_held_out(f, i) ? 0 : f->weight ? f->weight[i] : 1;
}

/* table: room for logits, slope and residual. */
static int solver_make(solver *s, const together *all, const hst_softmax_fit *f, double *table,
                       hst_err *err)
{
    *s = (solver){.f = f, .all = all, .n = f->rows->n, .classes = (size_t)f->n_classes};
    s->parts = all->parts;
    s->size = hst_softmax_size(f->rows, f->n_classes);
    s->n_kernel = s->size - s->classes;
    s->logits = table;
    s->slope = s->logits + s->n * s->classes;
    s->residual = s->slope + s->n * s->classes;
    for (size_t i = 0; i < s->n; i++)
        s->total_weight += row_weight(f, i);
    if (!(s->loss = numbers(s->parts, 1, err)) || !(s->along = numbers(s->parts, 1, err)) ||
        !(s->g = numbers(s->size, 1, err)) || !(s->g_new = numbers(s->size, 1, err)) ||
        !(s->d = numbers(s->size, 1, err)) || !(s->part = numbers(s->parts, s->n_kernel, err)) ||
        !(s->history = hst_lbfgs_new(s->size, err)))
        return HST_EMEM;
    return 0;
}

static void together_clear(together *a)
{
    for (int i = 0; i < a->given->n; i++)
        solver_clear(&a->solver[i]);
    free(a->scratch);
    free(a->kernel);
    free(a->packed);
    hst_spill_free(a->table);
}

static int together_make(together *a, const hst_softmax_fits *given, hst_err *err)
{
    const hst_design *rows = given->fit->rows;
    const size_t blocks = hst_design_blocks(rows), classes = (size_t)given->fit->n_classes;
    const size_t columns = classes * (size_t)given->n, p = (size_t)rows->p;
    size_t cells;
    *a = (together){.given = given, .rows = rows};
    a->parts = blocks < HST_FIT_PARTS ? blocks : HST_FIT_PARTS;
    a->n_scratch = hst_design_scratch(rows, columns);
    if (!hst_mul_ok(rows->n, TABLES * columns, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos", rows->n);
    /* a step passes over them five times, over rows twice: they stay in memory for longer */
    a->table =
        hst_spill_new_from(given->ctx, 2 * given->ctx->spill_from, cells, sizeof(double), err);
    if (!a->table || !(a->scratch = hst_alloc(a->parts * a->n_scratch, sizeof(float), err)) ||
        !(a->kernel = hst_alloc(p * columns, sizeof(float), err)) ||
        !(a->packed =
              hst_alloc(hst_gemm_packed(rows->kernels, rows->p, (int)columns), sizeof(float), err)))
        return HST_EMEM;
    int rc = 0;
    for (int i = 0; rc == 0 && i < given->n; i++) {
        double *table = hst_spill_at(a->table);
        table += (size_t)i * TABLES * rows->n * classes;
        rc = solver_make(&a->solver[i], a, &given->fit[i], table, err);
    }
    return rc;
}

/* Which are not over, and how the work of one is shared out. */
static void take_stock(together *a)
{
    a->n_now = 0;
    for (int i = 0; i < a->given->n; i++)
        if (!a->solver[i].over)
            a->now[a->n_now++] = &a->solver[i];
    a->inside = a->n_now == 1 ? a->given->ctx->executor : NULL;
}

/* The blocks of part i: *first .. *end - 1. */
static void part_blocks(const together *a, size_t i, size_t *first, size_t *end)
{
    size_t blocks = hst_design_blocks(a->rows);
    *first = blocks * i / a->parts;
    *end = blocks * (i + 1) / a->parts;
}

/* The rows of a block times the kernels of all, y[rows][columns], to each solver's own. */
static void share_out(const together *a, size_t block, size_t rows, const float *y)
{
    const size_t columns = a->n_now * a->now[0]->classes;
    for (size_t k = 0; k < a->n_now; k++) {
        const solver *s = a->now[k];
        const double *bias = s->by + s->n_kernel;
        double *to = s->product + block * HST_DESIGN_BLOCK * s->classes;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < s->classes; c++)
                to[r * s->classes + c] = y[r * columns + k * s->classes + c] + bias[c];
        passed(s, 0, 1);
    }
}

static void forward_part(void *arg, size_t i, int thread)
{
    const together *a = arg;
    float *y = a->scratch + i * a->n_scratch;
    size_t block, end;
    (void)thread;
    part_blocks(a, i, &block, &end);
    for (; block < end; block++) {
        const size_t n = a->n_now * a->now[0]->classes;
        share_out(a, block, hst_design_forward(a->rows, a->packed, n, block, y), y);
    }
}

/* The residuals of all at a block, x[columns][rows]. */
static void collect(const together *a, const hst_packed_block *b, float *x)
{
    for (size_t k = 0; k < a->n_now; k++) {
        const solver *s = a->now[k];
        const double *from = s->residual + b->first * s->classes;
        for (size_t c = 0; c < s->classes; c++, x += b->rows)
            for (size_t r = 0; r < b->rows; r++)
                x[r] = (float)from[r * s->classes + c];
        passed(s, 0, 1);
    }
}

static void backward_part(void *arg, size_t i, int thread)
{
    const together *a = arg;
    const size_t n = a->n_now * a->now[0]->classes, size = a->now[0]->n_kernel;
    size_t block, end;
    (void)thread;
    part_blocks(a, i, &block, &end);
    for (size_t k = 0; k < a->n_now; k++)
        memset(a->now[k]->part + i * size, 0, size * sizeof(double));
    for (; block < end; block++) {
        const hst_packed_block b = hst_design_packed(a->rows, block, a->scratch + i * a->n_scratch);
        float *x = b.scratch, *sum = x + n * HST_DESIGN_BLOCK;
        collect(a, &b, x);
        hst_design_backward(a->rows, &b, x, n, sum);
        for (size_t k = 0; k < a->n_now; k++, sum += size)
            for (size_t j = 0; j < size; j++)
                a->now[k]->part[i * size + j] += sum[j];
    }
}

/* The rows of part i: *first .. *end - 1. */
static void part_rows(const solver *s, size_t i, size_t *first, size_t *end)
{
    part_blocks(s->all, i, first, end);
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
        passed(s, r, 3);
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
        passed(s, r, 3);
    }
    s->loss[i] = loss;
    s->along[i] = along;
}

static void find_residual(solver *s)
{
    hst_executor_for(s->all->inside, s->parts, s->f->marks ? marks_part : softmax_part, s);
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

static void each_part(together *a, hst_item_fn *work)
{
    hst_executor_for(a->given->ctx->executor, a->parts, work, a);
}

static void set_product(solver *s, const double *vector, double *product)
{
    s->by = vector;
    s->product = product;
}

/* The products of the rows with what each solver has set. */
static void multiply(together *a)
{
    const size_t p = (size_t)a->rows->p, classes = a->now[0]->classes, n = a->n_now * classes;
    for (size_t k = 0; k < a->n_now; k++)
        for (size_t c = 0; c < classes; c++)
            for (size_t j = 0; j < p; j++)
                a->kernel[j * n + k * classes + c] = (float)a->now[k]->by[c * p + j];
    (void)hst_gemm_pack(a->rows->kernels, a->kernel, NULL, a->rows->p, (int)n, a->packed);
    each_part(a, forward_part);
}

/* g = gradient of loss and penalty, from what backward_part() made. */
static void gradient(solver *s, const double *theta, double *g)
{
    const size_t p = s->n_kernel / s->classes;
    for (size_t i = 0; i < s->n_kernel; i++)
        g[i] = (s->f->l2_of ? s->f->l2_of[i / p] : s->f->l2) * theta[i];
    for (size_t c = 0; s->f->marks && c < s->classes; c++)
        if (s->f->idle[c])
            memset(g + c * p, 0, p * sizeof *g);
    for (size_t part = 0; part < s->parts; part++)
        for (size_t i = 0; i < s->n_kernel; i++)
            g[i] += s->part[part * s->n_kernel + i];
    memset(g + s->n_kernel, 0, s->classes * sizeof *g);
    for (size_t r = 0; r < s->n; r++) {
        for (size_t c = 0; c < s->classes; c++)
            g[s->n_kernel + c] += s->residual[r * s->classes + c];
        passed(s, r, 1);
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

/* ---- a step of L-BFGS, of each that is not over ---- */

static int near_enough(const solver *s)
{
    return sqrt(hst_dot(s->g, s->g, s->size)) <= s->f->tolerance;
}

static double set_direction(solver *s)
{
    hst_lbfgs_direction(s->history, s->g, s->d);
    return hst_dot(s->g, s->d, s->size);
}

/* Where it goes next, or that it is near enough. */
static void look_around(solver *s)
{
    s->over = near_enough(s);
    if (s->over)
        return;
    if (!(set_direction(s) < 0)) {
        hst_lbfgs_reset(s->history);
        (void)set_direction(s);
    }
    set_product(s, s->d, s->slope);
}

/* The length of the step, and the step. */
static void move(void *arg, size_t i, int thread)
{
    solver *s = ((together *)arg)->now[i];
    (void)thread;
    const double t = line_search(s, s->f->theta, hst_dot(s->g, s->d, s->size));
    s->over = t == 0;
    s->t = t;
    for (size_t k = 0; k < s->size && !s->over; k++)
        s->f->theta[k] += t * s->d[k];
    for (size_t r = 0; r < s->n && !s->over; r++) {
        for (size_t k = r * s->classes; k < (r + 1) * s->classes; k++)
            s->logits[k] += t * s->slope[k];
        passed(s, r, 2);
    }
}

static void end_step(void *arg, size_t i, int thread)
{
    solver *s = ((together *)arg)->now[i];
    (void)thread;
    gradient(s, s->f->theta, s->g_new);
    hst_lbfgs_add(s->history, s->t, s->d, s->g, s->g_new);
    double *old = s->g;
    s->g = s->g_new;
    s->g_new = old;
    look_around(s);
}

/* What each solver does by itself, several of them side by side. */
static void each_solver(together *a, hst_item_fn *work)
{
    hst_executor_for(a->inside ? NULL : a->given->ctx->executor, a->n_now, work, a);
}

static void step(together *a)
{
    multiply(a);
    each_solver(a, move);
    take_stock(a);
    if (a->n_now == 0)
        return;
    each_part(a, backward_part);
    each_solver(a, end_step);
    take_stock(a);
}

/* ---- from the start to the end ---- */

static void begin_logits(void *arg, size_t i, int thread)
{
    solver *s = ((together *)arg)->now[i];
    (void)thread;
    set_product(s, s->f->theta, s->logits);
}

static void begin_residual(void *arg, size_t i, int thread)
{
    solver *s = ((together *)arg)->now[i];
    (void)thread;
    s->t = 0;
    find_residual(s);
}

static void begin_gradient(void *arg, size_t i, int thread)
{
    solver *s = ((together *)arg)->now[i];
    (void)thread;
    gradient(s, s->f->theta, s->g);
    look_around(s);
}

/* Logits, residual and gradient at theta. */
static void start(together *a)
{
    take_stock(a);
    each_solver(a, begin_logits);
    multiply(a);
    each_solver(a, begin_residual);
    each_part(a, backward_part);
    each_solver(a, begin_gradient);
    take_stock(a);
}

static void tell_logits(const solver *s)
{
    const hst_softmax_fit *f = s->f;
    for (size_t r = 0; f->logits && r < s->n; r++) {
        if (is_held_out(f, r))
            memcpy(f->logits + r * s->classes, s->logits + r * s->classes,
                   s->classes * sizeof *s->logits);
        passed(s, r, 1);
    }
}

static int run_together(const hst_softmax_fits *f, hst_err *err)
{
    together a;
    int rc = together_make(&a, f, err);
    if (rc == 0)
        start(&a);
    for (int i = 0; rc == 0 && a.n_now && i < f->fit->max_steps; i++) {
        step(&a);
        if (f->tick)
            rc = f->tick(f->tick_arg, err);
    }
    for (int i = 0; rc == 0 && i < f->n; i++)
        tell_logits(&a.solver[i]);
    together_clear(&a);
    return rc;
}

/* How many fits go side by side: those whose tables take a gigabyte and whose kernels are 256
 * columns of a matrix; at least one, at most MOST. */
static int fits_together(const hst_softmax_fit *f)
{
    const double room = 1 << 30, tables = TABLES * (double)sizeof(double);
    const double by_tables = room / ((double)f->rows->n * f->n_classes * tables);
    const double by_columns = 256.0 / f->n_classes;
    const double n = by_tables < by_columns ? by_tables : by_columns;
    return n < 1 ? 1 : n > MOST ? MOST : (int)n;
}

int hst_softmax_run(const hst_softmax_fits *f, hst_err *err)
{
    const int most = f->n ? fits_together(f->fit) : 1;
    int rc = 0;
    for (int i = 0; rc == 0 && i < f->n; i += most) {
        hst_softmax_fits some = *f;
        some.fit += i;
        some.n = f->n - i < most ? f->n - i : most;
        rc = run_together(&some, err);
    }
    return rc;
}

int hst_softmax_loss(const hst_ctx *ctx, const hst_softmax_fit *f, double *loss, double *g,
                     hst_err *err)
{
    together a;
    int rc = together_make(&a, &(hst_softmax_fits){.ctx = ctx, .fit = f, .n = 1}, err);
    if (rc == 0) {
        const solver *s = a.solver;
        start(&a);
        *loss = sum_parts(s, s->loss) + strength(s) / 2 * kernels_dot(s, f->theta, f->theta);
        memcpy(g, s->g, s->size * sizeof *g);
    }
    together_clear(&a);
    return rc;
}
