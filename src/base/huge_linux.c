#include "base/mem.h"

#include <sys/mman.h>

void hst_huge_pages(void *p, size_t n)
{
    (void)madvise(p, n, MADV_HUGEPAGE); /* refused where switched off: then small ones */
}
