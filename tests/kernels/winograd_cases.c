/* Winograd's inputs and outputs: whole 3x3 convolutions through them, against sums in double. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct winograd_case {
    int h, w, in, out, residual;
    float clamp;
    int place; /* of guarded buffers */
    int valid; /* 1: no padding; h and w are the output's all the same */
} winograd_case;

enum { SIDE = HST_WINOGRAD_SIDE, PLACES = HST_WINOGRAD_PLACES };

typedef struct winograd_data {
    guarded x, w, bias, residual, v, p, y;
    int high, wide;
    float *u; /* [16][in][out] */
} winograd_data;

static void make_weights(const winograd_case *c, winograd_data *d)
{
    static const double g[SIDE][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
    const int each = c->in * c->out;
    d->u = malloc((size_t)(PLACES * each) * sizeof *d->u);
    for (int i = 0; i < PLACES * each; i++) {
        double sum = 0;
        for (int t = 0; t < 9; t++)
            sum += g[i / each / SIDE][t / 3] * g[i / each % SIDE][t % 3] *
                   (double)d->w.p[t * each + i % each];
        d->u[i] = (float)sum;
    }
}

/* The input's height and width. */
static int in_h(const winograd_case *c)
{
    return c->h + 2 * c->valid;
}

static int in_w(const winograd_case *c)
{
    return c->w + 2 * c->valid;
}

static winograd_data make(const winograd_case *c)
{
    winograd_data d = {.high = (c->h + 1) / 2, .wide = (c->w + 1) / 2};
    const size_t tiles = (size_t)(d.high * d.wide), pixels = (size_t)(c->h * c->w);
    d.x = numbers((size_t)(in_h(c) * in_w(c) * c->in), c->place, 1);
    d.w = numbers(9 * (size_t)(c->in * c->out), c->place, 2);
    d.bias = numbers((size_t)c->out, c->place, 3);
    d.residual = numbers(pixels * (size_t)c->out, c->place, 4);
    d.v = guard(PLACES * tiles * (size_t)c->in, c->place);
    d.p = guard(PLACES * tiles * (size_t)c->out, c->place);
    d.y = guard(pixels * (size_t)c->out, c->place);
    make_weights(c, &d);
    return d;
}

static void end(winograd_data *d)
{
    guarded *all[] = {&d->x, &d->w, &d->bias, &d->residual, &d->v, &d->p, &d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    free(d->u);
}

static void take(const hst_kernels *k, const winograd_case *c, winograd_data *d, int row)
{
    const size_t floats = (size_t)(in_w(c) * c->in), tile = (size_t)c->in;
    hst_winograd_in w = {.v = d->v.p + (size_t)(row * d->wide) * tile,
                         .v_step = tile,
                         .place = (size_t)(d->high * d->wide) * tile,
                         .width = in_w(c),
                         .tiles = d->wide,
                         .channels = c->in,
                         .valid = c->valid};
    for (int i = 0; i < SIDE; i++) {
        const int y = 2 * row + i - !c->valid;
        w.row[i] = y < 0 || y >= in_h(c) ? NULL : d->x.p + (size_t)y * floats;
    }
    k->winograd_in(&w);
}

/* p = v u at each place, by plain loops. */
static void multiply(const winograd_case *c, winograd_data *d)
{
    const int tiles = d->high * d->wide;
    for (int i = 0; i < PLACES * tiles; i++)
        for (int j = 0; j < c->out; j++) {
            double sum = 0;
            for (int m = 0; m < c->in; m++)
                sum += (double)d->v.p[i * c->in + m] *
                       (double)d->u[(i / tiles * c->in + m) * c->out + j];
            d->p.p[i * c->out + j] = (float)sum;
        }
}

static void give(const hst_kernels *k, const winograd_case *c, winograd_data *d, int row)
{
    const size_t floats = (size_t)(c->w * c->out), tile = (size_t)c->out;
    hst_winograd_out w = {.p = d->p.p + (size_t)(row * d->wide) * tile,
                          .p_step = tile,
                          .place = (size_t)(d->high * d->wide) * tile,
                          .bias = d->bias.p,
                          .y_step = tile,
                          .width = c->w,
                          .tiles = d->wide,
                          .channels = c->out,
                          .clamp = c->clamp};
    for (int i = 0; i < 2 && 2 * row + i < c->h; i++) {
        w.row[i] = d->y.p + (size_t)(2 * row + i) * floats;
        w.residual[i] = c->residual ? d->residual.p + (size_t)(2 * row + i) * floats : NULL;
    }
    k->winograd_out(&w);
}

static int wrong_at(const winograd_case *c, const winograd_data *d, int at, int j)
{
    const int oy = at / c->w, ox = at % c->w;
    const size_t to = (size_t)(at * c->out + j);
    double sum = (double)d->bias.p[j], sizes = fabs(sum);
    for (int i = 0; i < 9 * c->in; i++) {
        const int y = oy - !c->valid + i / c->in / 3, x = ox - !c->valid + i / c->in % 3;
        if (y < 0 || y >= in_h(c) || x < 0 || x >= in_w(c))
            continue;
        const double term =
            (double)d->x.p[(y * in_w(c) + x) * c->in + i % c->in] * (double)d->w.p[i * c->out + j];
        sum += term;
        sizes += fabs(term);
    }
    if (c->residual)
        sum += (double)d->residual.p[to];
    if (c->clamp > 0)
        sum = sum < 0 ? 0 : sum > (double)c->clamp ? (double)c->clamp : sum;
    return far(to, d->y.p[to], sum, sizes + 1, 9 * c->in);
}

static int check(const hst_kernels *k, const winograd_case *c)
{
    winograd_data d = make(c);
    for (int row = 0; row < d.high; row++)
        take(k, c, &d, row);
    multiply(c, &d);
    for (int row = 0; row < d.high; row++)
        give(k, c, &d, row);
    int wrong = 0;
    for (int at = 0; at < c->h * c->w; at++)
        for (int j = 0; j < c->out; j++)
            wrong |= wrong_at(c, &d, at, j);
    if (wrong)
        say_wrong(k, "Winograd %d x %d, %d -> %d, residual %d, clamp %g, valid %d", c->h, c->w,
                  c->in, c->out, c->residual, (double)c->clamp, c->valid);
    end(&d);
    return wrong;
}

int winograd_maps(const hst_kernels *k)
{
    static const winograd_case all[] = {
        {7, 7, 16, 32, 1, INFINITY, 0},    {8, 6, 32, 16, 0, 6, 0},
        {1, 1, 16, 16, 0, 0, 0},           {2, 5, 48, 16, 1, 0, 0},
        {5, 2, 16, 48, 0, INFINITY, 0},    {1, 1, 16, 16, 0, 0, 0, 1},
        {4, 5, 32, 16, 1, INFINITY, 0, 1}, {3, 8, 16, 48, 0, 6, 0, 1}};
    int wrong = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int place = 0; place < 2; place++) {
            winograd_case c = all[i];
            c.place = place;
            wrong += check(k, &c);
        }
    return wrong;
}
