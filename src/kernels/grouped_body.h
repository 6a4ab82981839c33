/* grouped_body.h - one row of outputs of one group of a grouped convolution. A body: included by
 * each isa_<isa>.c behind gemm_body.h.
 *
 * A group is narrow, 8 to 24 channels, so a tile is up to fourteen outputs by one vector of them,
 * all in registers, and a window is walked as it lies in memory, where each of its rows is kernel x
 * in numbers one behind the other:
 *
 *             w          (a vector of output channels)
 *      x[0]   a0
 *      x[1]   a1         a step: one load of weights, and a broadcast and a multiply-add an output
 *      ...
 *
 * Where vectors are wider than eight, channels that do not fill one are done in vectors of eight,
 * else half of such a vector would be zeros. Every output adds its terms in the same order (ky, kx,
 * channel). */

enum { GROUPED_ROWS = 14 };

/* At its first output and its first channel. */
typedef struct grouped_tile {
    const float *x, *w, *bias;
    float *y;
    size_t ld, row, step; /* floats between outputs' windows, rows of a window, outputs */
    size_t columns;       /* floats between weights */
    int kernel, run;      /* rows of a window, floats of each */
    int part;             /* channels from the first on */
    float clamp;
} grouped_tile;

#define v_f vf
enum { v_N = V_N };
#define T(name) v_##name
#include "kernels/grouped_tile_body.h"
#undef T
#if V_N > 8
#define T(name) vn_##name
#include "kernels/grouped_tile_body.h"
#undef T
enum { NARROW = vn_N };
#else
#define vn_tile v_tile
enum { NARROW = V_N };
#endif

/* Outputs are shared out evenly: 16 are 8 and 8, not 14 and 2. */
static void grouped_columns(const hst_grouped *g, int column, int wide)
{
    const int tiles = (g->outputs + GROUPED_ROWS - 1) / GROUPED_ROWS;
    const int base = g->outputs / tiles, more = g->outputs % tiles;
    grouped_tile t = {.x = g->x,
                      .w = g->w + column,
                      .bias = g->bias + column,
                      .y = g->y + column,
                      .ld = (size_t)(g->stride * g->in),
                      .row = g->x_row,
                      .step = g->y_step,
                      .columns = (size_t)hst_grouped_columns(g->out),
                      .kernel = g->kernel,
                      .run = g->kernel * g->in,
                      .part = g->out - column,
                      .clamp = g->clamp};
    for (int i = 0, rows; i < tiles; i++) {
        rows = base + (i < more);
        if (wide)
            v_tile(&t, rows);
        else
            vn_tile(&t, rows);
        t.x += (size_t)rows * t.ld;
        t.y += (size_t)rows * t.step;
    }
}

static void grouped(const hst_grouped *g)
{
    grouped_contract(g);
    int c = 0;
    for (; c + V_N <= g->out; c += V_N)
        grouped_columns(g, c, 1);
    for (; c < g->out; c += NARROW)
        grouped_columns(g, c, 0);
}
