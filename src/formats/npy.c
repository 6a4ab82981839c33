#include "formats/npy.h"

#include <stdio.h>
#include <string.h>

int hst_npy_header(hst_out *o, size_t rows, size_t cols, int again, hst_err *err)
{
    /* magic, version 1.0, u16 LE length of what follows; padded with spaces to 128 bytes in all
     * (numpy.lib.format wants a multiple of 64) and ended by a newline */
    enum { HEADER = 128, PREFIX = 10 };
    char head[HEADER + 1] = "\x93NUMPY\x01";
    head[8] = HEADER - PREFIX;
    int n = snprintf(head + PREFIX, sizeof head - PREFIX,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, cols);
    memset(head + PREFIX + n, ' ', (size_t)(HEADER - PREFIX - n));
    head[HEADER - 1] = '\n';
    return again ? hst_out_rewrite(o, 0, head, HEADER, err) : hst_out_write(o, head, HEADER, err);
}
