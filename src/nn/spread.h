/* spread.h - how the numbers that products read are spread, over many pictures, and the range of
 * them that 8 bits are best given to. */
#ifndef HST_NN_SPREAD_H
#define HST_NN_SPREAD_H
#include "nn/plan.h"

typedef struct hst_spread hst_spread;
/* Of a graph's nodes. */
HST_CHECK hst_spread *hst_spread_new(const hst_graph *g, hst_err *err);
void hst_spread_free(hst_spread *s);
/* Counts the n numbers that a node made; an hst_plan_watch. */
void hst_spread_add(void *spread, int node, const float *x, size_t n);
/* Counts what `of`, of the same graph, has counted. */
void hst_spread_merge(hst_spread *s, const hst_spread *of);
/* out[nodes] for hst_plan_options. Equal counts give equal ranges, in whatever order. */
void hst_spread_ranges(const hst_spread *s, hst_range *out);
#endif
