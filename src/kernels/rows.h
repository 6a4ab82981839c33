/* rows.h - the rows of a tile of products, for macros that name each row's accumulators: X(row,
 * pointer, rows behind it). Three rows share a pointer, so that five do for fourteen rows. */
#ifndef HST_KERNELS_ROWS_H
#define HST_KERNELS_ROWS_H
#define HST_ROWS_6(X)                                                                              \
    X(0, p0, 0)                                                                                    \
    X(1, p0, 1)                                                                                    \
    X(2, p0, 2)                                                                                    \
    X(3, p3, 0)                                                                                    \
    X(4, p3, 1)                                                                                    \
    X(5, p3, 2)
#define HST_ROWS_14(X)                                                                             \
    HST_ROWS_6(X)                                                                                  \
    X(6, p6, 0)                                                                                    \
    X(7, p6, 1)                                                                                    \
    X(8, p6, 2)                                                                                    \
    X(9, p9, 0)                                                                                    \
    X(10, p9, 1)                                                                                   \
    X(11, p9, 2)                                                                                   \
    X(12, p12, 0)                                                                                  \
    X(13, p12, 1)
#endif
