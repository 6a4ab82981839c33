/* standardise.c - weights that are standardised before they are used (Qiao et al. 2019, arXiv
 * 1903.10520): a plan has them beside the graph's, which learn. Of each output channel, over the
 * others of its kernel,
 *
 *   w^ = (w - mean) / s,  s = sqrt(variance + epsilon)
 *   dw = (dw^ - mean of dw^ - w^ mean of dw^ w^) / s */
#include "base/mem.h"
#include "nn/plan/step.h"

#include <math.h>
#include <stdlib.h>

enum { KERNEL }; /* the slot that may be */

static double epsilon_of(const hst_plan *p, int node)
{
    const hst_node *n = hst_graph_node(p->graph, node);
    return n->n_slots > 0 ? n->slot[KERNEL].standardise : 0;
}

int hst_plan_standardised(hst_plan *p, hst_err *err)
{
    size_t floats = 0;
    for (int i = 0; i < p->n_values; i++)
        if (epsilon_of(p, i) > 0)
            floats += hst_slot_count(&hst_graph_node(p->graph, i)->slot[KERNEL]);
    if (floats == 0)
        return 0;
    p->standard = hst_alloc((size_t)p->n_values, sizeof(*p->standard), err);
    p->standards = p->standard ? hst_alloc_raw(floats, sizeof *p->standards, err) : NULL;
    if (!p->standards)
        return HST_EMEM;
    float *at = p->standards;
    for (int i = 0; i < p->n_values; i++)
        if (epsilon_of(p, i) > 0) {
            p->standard[i] = at;
            at += hst_slot_count(&hst_graph_node(p->graph, i)->slot[KERNEL]);
        }
    hst_plan_standardise(p, 0);
    return 0;
}

void hst_plan_standardised_end(hst_plan *p)
{
    free(p->standard);
    free(p->standards);
    p->standard = NULL;
    p->standards = NULL;
}

/* A kernel as a matrix: rows of output channels. */
typedef struct matrix {
    const float *w;
    size_t rows, n;
    double epsilon;
} matrix;

static matrix matrix_of(const hst_slot *s, const float *w)
{
    const size_t n = (size_t)s->dim[s->n_dims - 1];
    return (matrix){w, hst_slot_count(s) / n, n, s->standardise};
}

static const hst_slot *kernel_of(const hst_plan *p, int node)
{
    return &hst_graph_node(p->graph, node)->slot[KERNEL];
}

/* Of channels side by side, as many as a line of the cache holds: by themselves each number would
 * cost one. */
enum { SIDE_BY_SIDE = 16 };
typedef struct moments {
    size_t n;
    double mean[SIDE_BY_SIDE], inverse[SIDE_BY_SIDE]; /* 1 / s */
} moments;

/* Of the channels from c on. */
static moments moments_of(const matrix *m, size_t c)
{
    moments of = {.n = m->n - c < SIDE_BY_SIDE ? m->n - c : SIDE_BY_SIDE};
    double squares[SIDE_BY_SIDE] = {0};
    for (size_t r = 0; r < m->rows; r++)
        for (size_t i = 0; i < of.n; i++)
            of.mean[i] += (double)m->w[r * m->n + c + i];
    for (size_t i = 0; i < of.n; i++)
        of.mean[i] /= (double)m->rows;
    for (size_t r = 0; r < m->rows; r++)
        for (size_t i = 0; i < of.n; i++) {
            const double d = (double)m->w[r * m->n + c + i] - of.mean[i];
            squares[i] += d * d;
        }
    for (size_t i = 0; i < of.n; i++)
        of.inverse[i] = 1 / sqrt(squares[i] / (double)m->rows + m->epsilon);
    return of;
}

void hst_standardise(const hst_slot *s, const float *w, float *to)
{
    const matrix m = matrix_of(s, w);
    for (size_t c = 0; c < m.n; c += SIDE_BY_SIDE) {
        const moments of = moments_of(&m, c);
        for (size_t r = 0; r < m.rows; r++)
            for (size_t k = 0; k < of.n; k++) {
                const size_t at = r * m.n + c + k;
                to[at] = (float)(((double)m.w[at] - of.mean[k]) * of.inverse[k]);
            }
    }
}

void hst_plan_standardise(hst_plan *p, int from)
{
    for (int i = from; p->standard && i < p->n_values; i++)
        if (p->standard[i])
            hst_standardise(kernel_of(p, i), hst_plan_learnt(p, i, KERNEL), p->standard[i]);
}

void hst_plan_standardise_back(const hst_plan *p, int node, float *grad)
{
    if (!p->standard || !p->standard[node])
        return;
    const matrix m = matrix_of(kernel_of(p, node), hst_plan_learnt(p, node, KERNEL));
    const float *made = p->standard[node];
    for (size_t c = 0; c < m.n; c += SIDE_BY_SIDE) {
        const moments of = moments_of(&m, c);
        double sum[SIDE_BY_SIDE] = {0}, product[SIDE_BY_SIDE] = {0};
        for (size_t r = 0; r < m.rows; r++)
            for (size_t k = 0; k < of.n; k++) {
                const size_t at = r * m.n + c + k;
                sum[k] += (double)grad[at];
                product[k] += (double)grad[at] * (double)made[at];
            }
        for (size_t k = 0; k < of.n; k++) {
            sum[k] /= (double)m.rows;
            product[k] /= (double)m.rows;
        }
        for (size_t r = 0; r < m.rows; r++)
            for (size_t k = 0; k < of.n; k++) {
                const size_t at = r * m.n + c + k;
                const double without = (double)grad[at] - sum[k] - (double)made[at] * product[k];
                grad[at] = (float)(without * of.inverse[k]);
            }
    }
}
