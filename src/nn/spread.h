/* spread.h - how the numbers that nodes make are spread, over many pictures, and the range of them
 * that 8 bits are best given to: where least is lost, squared (Nagel et al. 2021, arXiv:2106.08295,
 * 3.1). */
#ifndef HST_NN_SPREAD_H
#define HST_NN_SPREAD_H
#include "nn/plan.h"

typedef struct hst_spread hst_spread;
/* Of a graph's nodes; counted[nodes]: 1, its numbers are counted; NULL: of those that products
 * read. */
HST_CHECK hst_spread *hst_spread_new(const hst_graph *g, const char *counted, hst_err *err);
void hst_spread_free(hst_spread *s);
/* Counts the n numbers that a node made; an hst_plan_watch. */
void hst_spread_add(void *spread, int node, const float *x, size_t n);
/* Counts what `of`, of the same graph, has counted. */
void hst_spread_merge(hst_spread *s, const hst_spread *of);
/* Of what the node makes; equal counts give equal ranges, in whatever order. 0, 0: it was not
 * counted, or all was 0. */
hst_range hst_spread_range(const hst_spread *s, int node);
/* out[nodes] for hst_plan_options: of what their products read. */
void hst_spread_ranges(const hst_spread *s, hst_range *out);
#endif
