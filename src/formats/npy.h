/* npy.h - NumPy's .npy, version 1.0 (numpy.lib.format): float32, C order, little endian. */
#ifndef HST_FORMATS_NPY_H
#define HST_FORMATS_NPY_H
#include "base/file.h"

/* Writes the header of a float32 [rows][cols] array to o. The caller writes the rows behind it.
 * again: over the one that is there, where rows was not known before. */
HST_CHECK int hst_npy_header(hst_out *o, size_t rows, size_t cols, int again, hst_err *err);
#endif
