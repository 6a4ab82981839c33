/* op_rotary.c - positions as angles by which queries and keys are turned, so that their products
 * know how far apart two tokens are (Su et al. 2021, arXiv 2104.09864). The tokens are cells of a
 * grid: half of a head's pairs of channels are turned by the row, the others by the column, each
 * pair at a frequency of its own. graph.h has the angles. */
#include "nn/infer/unit.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const words[] = {
    [HST_ROTARY_HALVES] = "halves", [HST_ROTARY_ROUNDED] = "rounded", [HST_ROTARY_PAIRS] = "pairs"};
static const hst_attr attrs[] = {
    {"heads", HST_ATTR_INT, offsetof(hst_rotary, heads), NULL},
    {"prefix", HST_ATTR_INT, offsetof(hst_rotary, prefix), NULL},
    {"rows", HST_ATTR_INT, offsetof(hst_rotary, rows), NULL},
    {"columns", HST_ATTR_INT, offsetof(hst_rotary, columns), NULL},
    {"way", HST_ATTR_WORD, offsetof(hst_rotary, way), words},
    {"learned", HST_ATTR_INT, offsetof(hst_rotary, learned), NULL},
    {"base", HST_ATTR_REAL, offsetof(hst_rotary, base), NULL},
};
_Static_assert(sizeof(hst_rotary) <= HST_ATTR_BYTES, "a node has no room for it");

static const hst_rotary *rotary_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

static int turned_type(hst_node *n, const hst_type *in, hst_err *err)
{
    enum { MOST = 1 << 14 };
    const hst_rotary *r = rotary_of(n);
    const hst_shape x = hst_type_shape(in);
    if ((int)r->way < 0 || (size_t)r->way >= sizeof words / sizeof *words || !(r->base > 1) ||
        !(r->base <= 1e9) || r->learned < 0 || r->learned > MOST ||
        (r->way == HST_ROTARY_PAIRS && r->learned == 0))
        return hst_fail(err, HST_EMODEL, "rotary positions of base %g, way %d, learned on %d cells",
                        r->base, (int)r->way, r->learned);
    if (r->heads < 1 || x.c % (3 * r->heads) != 0 || x.c / (3 * r->heads) % 4 != 0)
        return hst_fail(err, HST_EMODEL,
                        "rotary positions need heads of whole fours: %d of them in %d numbers",
                        r->heads, x.c);
    if (r->rows < 1 || r->rows > MOST || r->columns < 1 || r->columns > MOST || r->prefix < 0 ||
        x.h != 1 || (int64_t)x.w - r->prefix != (int64_t)r->rows * r->columns)
        return hst_fail(err, HST_EMODEL,
                        "rotary positions of %d x %d cells behind %d tokens do not fit %d x %d "
                        "tokens",
                        r->rows, r->columns, r->prefix, x.h, x.w);
    n->type = *in;
    return 0;
}

/* Of queries and keys, which are two of three. */
static double two_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 2.0 * (double)hst_shape_floats(*in);
}

/* Channels of a head. */
static size_t head_channels(const hst_node *n, hst_shape in)
{
    return (size_t)(in.c / (3 * rotary_of(n)->heads));
}

/* A thread's floats: cosines and sines of every row and column at every frequency, those of a
 * token's pairs, and a head. */
typedef struct places {
    float *of_cells;      /* [rows + columns][2][d / 4] */
    float *cosine, *sine; /* [d / 2] */
    float *head;          /* [d] */
} places;

static size_t floats_of_cells(const hst_rotary *r, size_t d)
{
    return ((size_t)r->rows + (size_t)r->columns) * (d / 2);
}

static size_t scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    const size_t d = head_channels(n, *in);
    (void)k;
    return floats_of_cells(rotary_of(n), d) + 2 * d;
}

static places places_of(const hst_rotary *r, size_t d, float *scratch)
{
    float *token = scratch + floats_of_cells(r, d);
    return (places){scratch, token, token + d / 2, token + d};
}

/* To the nearest number of 8 binary digits, of which bfloat16 has so many. */
static double rounded(double x)
{
    int exponent;
    const double digits = frexp(x, &exponent);
    return ldexp(rint(ldexp(digits, 8)), exponent - 8);
}

/* Along one axis, of which there are n cells: cell `at`, and there pair k of d / 4. */
static double angle_of(const hst_rotary *r, int at, int n, size_t d, size_t k)
{
    const double pi = 3.14159265358979323846;
    const double place = r->way == HST_ROTARY_PAIRS ? (at + 1.0) * r->learned / n
                                                    : 2 * pi * (2 * (at + 0.5) / n - 1);
    const double period = pow(r->base, 4 * (double)k / (double)d);
    return place / (r->way == HST_ROTARY_ROUNDED ? rounded(period) : period);
}

/* Cell i of n along one axis: out[2][d / 4]. */
static void fill_cell(const hst_rotary *r, int i, int n, size_t d, float *out)
{
    for (size_t k = 0; k < d / 4; k++) {
        const double angle = angle_of(r, i, n, d, k);
        out[k] = (float)cos(angle);
        out[d / 4 + k] = (float)sin(angle);
    }
}

static void fill_cells(const hst_rotary *r, size_t d, const places *p)
{
    for (int i = 0; i < r->rows + r->columns; i++)
        fill_cell(r, i < r->rows ? i : i - r->rows, i < r->rows ? r->rows : r->columns, d,
                  p->of_cells + (size_t)i * (d / 2));
}

/* The angles of a cell's pairs; way: 1 as they are, -1 back. */
static void fill_token(const hst_rotary *r, size_t d, int cell, float way, const places *p)
{
    const size_t quarter = d / 4;
    const float *row = p->of_cells + (size_t)(cell / r->columns) * (d / 2);
    const float *column = p->of_cells + (size_t)(r->rows + cell % r->columns) * (d / 2);
    const float *first = r->way == HST_ROTARY_PAIRS ? column : row;
    const float *second = r->way == HST_ROTARY_PAIRS ? row : column;
    for (size_t k = 0; k < quarter; k++) {
        p->cosine[k] = first[k];
        p->cosine[quarter + k] = second[k];
        p->sine[k] = way * first[quarter + k];
        p->sine[quarter + k] = way * second[quarter + k];
    }
}

/* A head x[d] turned -> y[d], another place. */
static void turn(const hst_rotary *r, size_t d, const places *p, const float *restrict x,
                 float *restrict y)
{
    const float *c = p->cosine, *s = p->sine;
    const size_t half = d / 2;
    for (size_t j = 0; r->way == HST_ROTARY_PAIRS && j < half; j++) {
        y[2 * j] = x[2 * j] * c[j] - x[2 * j + 1] * s[j];
        y[2 * j + 1] = x[2 * j + 1] * c[j] + x[2 * j] * s[j];
    }
    for (size_t j = 0; r->way != HST_ROTARY_PAIRS && j < half; j++) {
        y[j] = x[j] * c[j] - x[half + j] * s[j];
        y[half + j] = x[half + j] * c[j] + x[j] * s[j];
    }
}

void hst_rotary_factors(const hst_node *n, float *same, float *other)
{
    const hst_rotary *r = rotary_of(n);
    const hst_shape s = hst_node_shape(n);
    const size_t d = head_channels(n, s), half = d / 2;
    for (int i = 0; i < s.w; i++, same += d, other += d)
        for (size_t k = 0; k < half; k++) {
            const int cell = i - r->prefix, pairs = r->way == HST_ROTARY_PAIRS;
            const int by_row = (k < d / 4) != pairs, of = by_row ? r->rows : r->columns;
            const size_t a = pairs ? 2 * k : k, b = pairs ? a + 1 : k + half;
            const int at = by_row ? cell / r->columns : cell % r->columns;
            const double angle = cell < 0 ? 0 : angle_of(r, at, of, d, k % (d / 4));
            same[a] = same[b] = (float)cos(angle);
            other[b] = (float)sin(angle);
            other[a] = -other[b];
        }
}

/* x, y [tokens][3][heads][d]: queries and keys turned, values as they are. */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_rotary *r = rotary_of(&u->node);
    const size_t d = head_channels(&u->node, u->in), c = (size_t)u->in.c, turns = c / 3 * 2;
    const hst_share tokens = hst_share_of(a, u->out.w);
    const places p = places_of(r, d, a->scratch);
    if (tokens.end > r->prefix)
        fill_cells(r, d, &p);
    for (int i = tokens.first; i < tokens.end; i++) {
        const float *x = a->x[0] + (size_t)i * c;
        float *y = a->y + (size_t)i * c;
        const size_t still = i < r->prefix ? 0 : turns;
        memcpy(y + still, x + still, (c - still) * sizeof *y);
        if (i < r->prefix)
            continue;
        fill_token(r, d, i - r->prefix, 1, &p);
        for (size_t at = 0; at < turns; at += d)
            turn(r, d, &p, x + at, y + at);
    }
}

/* dx += dy turned back */
static void backward(const hst_op_args *a)
{
    const hst_rotary *r = rotary_of(a->node);
    const size_t d = head_channels(a->node, a->in[0]), c = (size_t)a->in[0].c, turns = c / 3 * 2;
    const places p = places_of(r, d, a->scratch);
    fill_cells(r, d, &p);
    for (int i = 0; i < a->in[0].w; i++) {
        const float *dy = a->dy + (size_t)i * c;
        float *dx = a->dx[0] + (size_t)i * c;
        const size_t still = i < r->prefix ? 0 : turns;
        for (size_t at = still; at < c; at++)
            dx[at] += dy[at];
        if (i < r->prefix)
            continue;
        fill_token(r, d, i - r->prefix, -1, &p);
        for (size_t at = 0; at < turns; at += d) {
            turn(r, d, &p, dy + at, p.head);
            for (size_t j = 0; j < d; j++)
                dx[at + j] += p.head[j];
        }
    }
}

const hst_op hst_op_rotary = {.name = "rotary",
                              .n_inputs = 1,
                              .attrs = attrs,
                              .n_attrs = sizeof attrs / sizeof *attrs,
                              .attr_bytes = sizeof(hst_rotary),
                              .infer_type = turned_type,
                              .flops = two_flops,
                              .needs = hst_needs_same,
                              .infer = infer,
                              .scratch = scratch,
                              .backward = backward};
