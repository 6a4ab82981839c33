/* spd.h - products of rows, and systems of linear equations with them: what ridge regression is
 * made of. In double, every sum in a fixed order: the same bits for any number of threads. */
#ifndef HST_TRAINING_SPD_H
#define HST_TRAINING_SPD_H
#include "base/executor.h"

/* g[p][p] += sum over i < n of row_i row_i^T, lower triangle; rows[n][p]. */
void hst_spd_add(const double *rows, size_t n, size_t p, double *g, hst_executor *ex);

/* a[p][p], its lower triangle, becomes L with a = L L^T. A row that depends on those before it (its
 * pivot is below `tiny`) gets no column: zeros. */
void hst_spd_factor(double *a, size_t p, double tiny, hst_executor *ex);
/* x[p] becomes the solution of L L^T x = x. */
void hst_spd_solve(const double *l, size_t p, double *x);
#endif
