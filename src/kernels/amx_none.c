/* amx_none.c - systems on which nobody has tried tiles. */
#include "kernels/tables.h"

int hst_amx_permitted(void)
{
    return 0;
}
