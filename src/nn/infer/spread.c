/* spread.c - numbers are counted in bins that are sixteenths of a power of two wide. Where nobody
 * is near the border of a bin, machines that add up in other orders find the same ranges. */
#include "nn/spread.h"
#include "nn/op.h"

#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* By sign, exponent and four bits of what follows. */
enum { SHIFT = 19, BINS = 1 << (32 - SHIFT), SIGN = BINS / 2 };

struct hst_spread {
    int n_nodes;
    int *reads; /* [n_nodes]: the node that its product reads; -1: it has none */
    int *row;   /* [n_nodes]: its row of counts; -1: what it makes is not counted */
    int n_rows;
    uint64_t *count; /* [n_rows][BINS] */
};

hst_spread *hst_spread_new(const hst_graph *g, const char *counted, hst_err *err)
{
    const int n = hst_graph_n_nodes(g);
    hst_spread *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->n_nodes = n;
    s->reads = hst_alloc((size_t)n, 2 * sizeof *s->reads, err);
    s->row = s->reads ? s->reads + n : NULL;
    for (int i = 0; s->reads && i < n; i++) {
        s->reads[i] = hst_node_has_weights(hst_graph_node(g, i)) ? hst_graph_input_of(g, i, 0) : -1;
        s->row[i] = counted && counted[i] ? s->n_rows++ : -1;
        if (!counted && s->reads[i] >= 0 && s->row[s->reads[i]] < 0)
            s->row[s->reads[i]] = s->n_rows++;
    }
    s->count = s->reads ? hst_alloc((size_t)s->n_rows + 1, BINS * sizeof *s->count, err) : NULL;
    if (s->count)
        return s;
    hst_spread_free(s);
    return NULL;
}

void hst_spread_free(hst_spread *s)
{
    if (!s)
        return;
    free(s->reads);
    free(s->count);
    free(s);
}

void hst_spread_add(void *spread, int node, const float *x, size_t n)
{
    hst_spread *s = spread;
    if (s->row[node] < 0)
        return;
    uint64_t *count = s->count + (size_t)s->row[node] * BINS;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        count[bits >> SHIFT]++;
    }
}

void hst_spread_merge(hst_spread *s, const hst_spread *of)
{
    for (size_t i = 0; i < (size_t)s->n_rows * BINS; i++)
        s->count[i] += of->count[i];
}

/* Where a bin ends that is further from 0. */
static float end_of(int bin)
{
    const uint32_t bits = (uint32_t)(bin + 1) << SHIFT;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The middle of a bin. */
static double middle(int bin)
{
    const uint32_t bits = ((uint32_t)bin << SHIFT) | 1u << (SHIFT - 1);
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

/* Bins of finite numbers, without a sign. */
enum { FINITE = SIGN * 255 / 256 };

static int last_bin(const uint64_t *count, int sign)
{
    int bin = FINITE - 2; /* whose end is finite, too */
    while (bin >= 0 && count[sign + bin] == 0)
        bin--;
    return bin;
}
/* What is lost, squared, where 255 steps reach from least to most: beyond, what is cut off; within,
 * a rounding. */
static double lost(const uint64_t *count, double least, double most)
{
    const double step = (most - least) / 255, rounding = step * step / 12;
    double sum = 0;
    for (int sign = 0; sign <= SIGN; sign += SIGN)
        for (int bin = 0; bin < FINITE; bin++) {
            if (count[sign + bin] == 0)
                continue;
            const double v = middle(sign + bin);
            const double beyond = v > most ? v - most : v < least ? least - v : 0;
            const double inside = v * v < rounding ? v * v : rounding;
            sum += (double)count[sign + bin] * (beyond > 0 ? beyond * beyond : inside);
        }
    return sum;
}

/* Where a range ends on a side, by its last bin; -1: at 0. */
static double side_end(int bin, int sign)
{
    return bin < 0 ? 0 : (double)end_of(sign + bin);
}

/* From all that there is, one end and the other come nearer while less is lost by it. */
static hst_range best_range(const uint64_t *count)
{
    enum { FURTHEST = 64 }; /* bins to look ahead: a factor of 16 */
    int end[2] = {last_bin(count, 0), last_bin(count, SIGN)};
    double least_lost = lost(count, side_end(end[1], SIGN), side_end(end[0], 0));
    for (int gained = 1; gained;) {
        gained = 0;
        for (int i = 1; i < 2 * FURTHEST; i++) {
            int to[2] = {end[0], end[1]};
            to[i % 2] -= (i + 1) / 2;
            if (to[0] < -1 || to[1] < -1 || (to[0] < 0 && to[1] < 0))
                continue;
            const double now = lost(count, side_end(to[1], SIGN), side_end(to[0], 0));
            if (now < least_lost) {
                least_lost = now;
                end[i % 2] = to[i % 2];
                gained = 1;
                break;
            }
        }
    }
    return (hst_range){(float)side_end(end[1], SIGN), (float)side_end(end[0], 0)};
}

hst_range hst_spread_range(const hst_spread *s, int node)
{
    return s->row[node] < 0 ? (hst_range){0, 0}
                            : best_range(s->count + (size_t)s->row[node] * BINS);
}

void hst_spread_ranges(const hst_spread *s, hst_range *out)
{
    for (int i = 0; i < s->n_nodes; i++)
        out[i] = s->reads[i] < 0 ? (hst_range){0, 0} : hst_spread_range(s, s->reads[i]);
}
