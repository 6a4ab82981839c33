/* The same cases as a program of its own, for machines without libraries: scripts/test-neon.sh. */
#include "cases.h"

#include <stdio.h>

int main(void)
{
    int wrong = 0, usable;
    for (int i = 0; hst_kernels_name(i, &usable); i++) {
        const hst_kernels *k = hst_kernels_find(hst_kernels_name(i, NULL));
        for (const kernel_case *c = kernel_cases; k && c->name; c++) {
            int failed = c->check(k);
            printf("%-4s %s: %s\n", failed ? "FAIL" : "ok", k->name, c->name);
            wrong += failed;
        }
    }
    return wrong != 0;
}
