#include "formats/npy.h"

#include <stdio.h>
#include <string.h>

/* magic, version 1.0, u16 LE length of what follows; padded with spaces to 128 bytes in all
 * (numpy.lib.format wants a multiple of 64) and ended by a newline */
enum { HEADER = 128, PREFIX = 10 };

static void make_header(char head[HEADER + 1], size_t rows, size_t cols)
{
    memset(head, 0, HEADER + 1);
    memcpy(head, "\x93NUMPY\x01", 7);
    head[8] = HEADER - PREFIX;
    int n = snprintf(head + PREFIX, HEADER + 1 - PREFIX,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, cols);
    memset(head + PREFIX + n, ' ', (size_t)(HEADER - PREFIX - n));
    head[HEADER - 1] = '\n';
}

int hst_npy_header(hst_out *o, size_t rows, size_t cols, hst_err *err)
{
    char head[HEADER + 1];
    make_header(head, rows, cols);
    return hst_out_write(o, head, HEADER, err);
}

int hst_npy_header_again(hst_out *o, size_t rows, size_t cols, hst_err *err)
{
    char head[HEADER + 1];
    make_header(head, rows, cols);
    return hst_out_rewrite(o, 0, head, HEADER, err);
}
