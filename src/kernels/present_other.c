/* present_other.c - any other machine. */
#include "kernels/tables.h"

static int always(void)
{
    return 1;
}

const hst_kernels_choice hst_kernels_present[] = {{&hst_kernels_portable, always}, {NULL, NULL}};
