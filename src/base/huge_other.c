/* Systems that choose the size of pages themselves. */
#include "base/mem.h"

void hst_huge_pages(void *p, size_t n)
{
    (void)p;
    (void)n;
}
