/* op_groupnorm.c - y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance those
 * of a group of neighbouring channels over all pixels of the image (Wu, He 2018, arXiv 1803.08494).
 *
 * With the moments a group is an affine map of each channel, and so is its gradient; sums are taken
 * a channel over some rows at a time in float32, and joined in double. */
#include "nn/infer/unit.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { GAMMA, BETA }; /* slots */
enum { ROWS = 256, AT_ONCE = 16 /* rows of gradients */ };

static const hst_group_norm *attrs_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

static int normalised_type(hst_node *n, const hst_type *in, hst_err *err)
{
    static const char *const endings[] = {"gamma", "beta"};
    const hst_group_norm *a = attrs_of(n);
    const int c = in->dim[in->n_dims - 1];
    if (!(a->epsilon > 0 && a->epsilon < 1))
        return hst_fail(err, HST_EMODEL, "layer %s: epsilon %g is not between 0 and 1", n->name,
                        a->epsilon);
    if (a->groups < 1 || c % a->groups != 0)
        return hst_fail(err, HST_EMODEL, "layer %s: %d channels are not %d groups", n->name, c,
                        a->groups);
    for (int i = 0; i < 2; i++)
        n->slot[n->n_slots++] = (hst_slot){endings[i], 0, {c}, 1};
    n->type = *in;
    return 0;
}

/* As of a layer norm: two for each of the sums, three for what is made of them. */
static double seven_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 7.0 * (double)hst_shape_floats(*in);
}

/* ---- moments ---- */

/* Work memory: doubles of groups and channels, then floats of channels, then some rows. */
typedef struct room {
    double *mean, *inverse;                       /* [groups], 1 / sqrt(variance + epsilon) */
    double *sum, *product;                        /* [c] */
    float *first, *second, *scale, *of_x, *shift; /* [c] */
    float *rows;                                  /* [AT_ONCE][c] */
} room;

static size_t scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    enum { OF_DOUBLES = sizeof(double) / sizeof(float) };
    const size_t c = (size_t)in->c, groups = (size_t)attrs_of(n)->groups;
    (void)k;
    return OF_DOUBLES * (2 * groups + 2 * c) + (5 + AT_ONCE) * c;
}

static room room_of(const hst_node *n, size_t c, float *memory)
{
    const size_t groups = (size_t)attrs_of(n)->groups;
    room r = {.mean = (double *)(void *)memory};
    r.inverse = r.mean + groups;
    r.sum = r.inverse + groups;
    r.product = r.sum + c;
    r.first = (float *)(r.product + c);
    r.second = r.first + c;
    r.scale = r.second + c;
    r.of_x = r.scale + c;
    r.shift = r.of_x + c;
    r.rows = r.shift + c;
    return r;
}

/* Joins the moments of `rows` pixels of a channel with those of its group's `count` numbers so far
 * (Chan et al. 1979); squares: the sum of squared distances from the mean. */
static void join(double *mean, double *squares, double count, double rows, const float of[2])
{
    const double d = (double)of[0] - *mean, share = rows / (count + rows);
    *mean += d * share;
    *squares += (double)of[1] + d * d * count * share;
}

/* Of x [pixels][c]. */
static void find_moments(const hst_node *n, const hst_kernels *k, const float *x, hst_shape s,
                         const room *r)
{
    const size_t c = (size_t)s.c, pixels = hst_shape_pixels(s);
    const size_t groups = (size_t)attrs_of(n)->groups, own = c / groups;
    memset(r->mean, 0, 2 * groups * sizeof *r->mean);
    for (size_t at = 0, rows; at < pixels; at += rows) {
        rows = pixels - at < ROWS ? pixels - at : ROWS;
        k->norm_moments(&(hst_norm_sums){
            .x = x + at * c, .first = r->first, .second = r->second, .rows = rows, .c = s.c});
        for (size_t i = 0; i < c; i++)
            join(&r->mean[i / own], &r->inverse[i / own], (double)(at * own + i % own * rows),
                 (double)rows, (float[2]){r->first[i], r->second[i]});
    }
    for (size_t g = 0; g < groups; g++)
        r->inverse[g] = 1 / sqrt(r->inverse[g] / (double)(pixels * own) + attrs_of(n)->epsilon);
}

/* ---- forward ---- */

/* x, y [h][w][c]. Every thread finds the moments, in the same order, and does its own pixels. */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const size_t c = (size_t)u->out.c, own = c / (size_t)attrs_of(&u->node)->groups;
    const hst_share pixels = hst_share_of(a, (int)hst_shape_pixels(u->out));
    const room r = room_of(&u->node, c, a->scratch);
    find_moments(&u->node, a->kernels, a->x[0], u->in, &r);
    for (size_t i = 0; i < c; i++) {
        const double scale = (double)u->param[GAMMA][i] * r.inverse[i / own];
        r.scale[i] = (float)scale;
        r.shift[i] = (float)((double)u->param[BETA][i] - r.mean[i / own] * scale);
    }
    a->kernels->norm_map(&(hst_norm_map){.x = a->x[0] + (size_t)pixels.first * c,
                                         .scale = r.scale,
                                         .shift = r.shift,
                                         .y = a->y + (size_t)pixels.first * c,
                                         .rows = (size_t)(pixels.end - pixels.first),
                                         .c = u->out.c,
                                         .act = u->act});
}

/* ---- backward ---- */

/* Of each channel: sums over the pixels of dy and of dy (x - mean). */
static void find_sums(const hst_op_args *a, const room *r)
{
    const size_t c = (size_t)a->in[0].c, pixels = hst_shape_pixels(a->in[0]);
    const size_t own = c / (size_t)attrs_of(a->node)->groups;
    for (size_t i = 0; i < c; i++)
        r->shift[i] = (float)r->mean[i / own];
    memset(r->sum, 0, 2 * c * sizeof *r->sum);
    for (size_t at = 0, rows; at < pixels; at += rows) {
        rows = pixels - at < ROWS ? pixels - at : ROWS;
        a->kernels->norm_products(&(hst_norm_sums){.x = a->x[0] + at * c,
                                                   .dy = a->dy + at * c,
                                                   .mean = r->shift,
                                                   .first = r->first,
                                                   .second = r->second,
                                                   .rows = rows,
                                                   .c = a->in[0].c});
        for (size_t i = 0; i < c; i++) {
            r->sum[i] += (double)r->first[i];
            r->product[i] += (double)r->second[i];
        }
    }
}

/* With x^ = (x - mean) inverse and means over the group,
 *   dx = inverse (gamma dy - mean of gamma dy - x^ mean of gamma dy x^)
 *      = scale dy + of_x x + shift */
static void find_map(const hst_op_args *a, const room *r)
{
    const size_t groups = (size_t)attrs_of(a->node)->groups, own = (size_t)a->in[0].c / groups;
    const double n = (double)(hst_shape_pixels(a->in[0]) * own);
    for (size_t g = 0; g < groups; g++) {
        const double inverse = r->inverse[g];
        double sum = 0, product = 0;
        for (size_t i = g * own; i < (g + 1) * own; i++) {
            sum += (double)a->param[GAMMA][i] * r->sum[i] / n;
            product += (double)a->param[GAMMA][i] * r->product[i] * inverse / n;
        }
        for (size_t i = g * own; i < (g + 1) * own; i++) {
            const double of_x = -inverse * inverse * product;
            r->scale[i] = (float)(inverse * (double)a->param[GAMMA][i]);
            r->of_x[i] = (float)of_x;
            r->shift[i] = (float)(-inverse * sum - of_x * r->mean[g]);
        }
    }
}

static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c, pixels = hst_shape_pixels(a->in[0]);
    const size_t own = c / (size_t)attrs_of(a->node)->groups;
    const room r = room_of(a->node, c, a->scratch);
    find_moments(a->node, a->kernels, a->x[0], a->in[0], &r);
    find_sums(a, &r);
    find_map(a, &r);
    for (size_t i = 0; i < c; i++) {
        if (a->dparam[GAMMA])
            a->dparam[GAMMA][i] += (float)(r.product[i] * r.inverse[i / own]);
        if (a->dparam[BETA])
            a->dparam[BETA][i] += (float)r.sum[i];
    }
    for (size_t at = 0, rows; a->dx[0] && at < pixels; at += rows) {
        rows = pixels - at < AT_ONCE ? pixels - at : AT_ONCE;
        a->kernels->norm_back(&(hst_norm_back){.dy = a->dy + at * c,
                                               .x = a->x[0] + at * c,
                                               .of_dy = r.scale,
                                               .of_x = r.of_x,
                                               .shift = r.shift,
                                               .dx = r.rows,
                                               .rows = rows,
                                               .c = a->in[0].c});
        for (size_t i = 0; i < rows * c; i++)
            a->dx[0][at * c + i] += r.rows[i];
    }
}

static const hst_attr attrs[] = {
    {"epsilon", HST_ATTR_REAL, offsetof(hst_group_norm, epsilon), NULL},
    {"groups", HST_ATTR_INT, offsetof(hst_group_norm, groups), NULL},
};

const hst_op hst_op_groupnorm = {.name = "groupnorm",
                                 .n_inputs = 1,
                                 .attrs = attrs,
                                 .n_attrs = sizeof attrs / sizeof *attrs,
                                 .attr_bytes = sizeof(hst_group_norm),
                                 .infer_type = normalised_type,
                                 .flops = seven_flops,
                                 .infer = infer,
                                 .scratch = scratch,
                                 .backward = backward,
                                 .reads = HST_READS_INPUT};
