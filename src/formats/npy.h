/* npy.h - NumPy's .npy, version 1.0 (numpy.lib.format): float32, C order, little endian. */
#ifndef HST_FORMATS_NPY_H
#define HST_FORMATS_NPY_H
#include "base/file.h"

/* Writes the header of a float32 [rows][cols] array to o. The caller writes the rows behind it. */
HST_CHECK int hst_npy_header(hst_out *o, size_t rows, size_t cols, hst_err *err);
/* Writes it once more, at the start of o, where the number of rows was not known before. */
HST_CHECK int hst_npy_header_again(hst_out *o, size_t rows, size_t cols, hst_err *err);
#endif
