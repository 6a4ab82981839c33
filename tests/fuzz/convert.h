/* convert.h - any bytes through a reader of the import helper: an error of the right kind, or
 * tensors that can be written. repair: NULL, or makes right what a check sum would betray. */
#ifndef HST_TESTS_FUZZ_CONVERT_H
#define HST_TESTS_FUZZ_CONVERT_H
#include "weights.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void fuzz_reader(int (*read)(weights *w, hst_source *s, hst_err *err),
                               void (*repair)(uint8_t *p, size_t n), const uint8_t *in, size_t n)
{
    char digest[65];
    weights w;
    hst_err err = {0};
    hst_source s = {0};
    /* exactly n bytes, so that sanitizers see an overrun; a reader gets the file loaded */
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy || weights_begin(&w, &err))
        __builtin_trap();
    if (n)
        memcpy(copy, in, n);
    if (repair)
        repair(copy, n);
    if (hst_source_add(&s, "fuzz", copy, n, &err))
        __builtin_trap();
    int rc = read(&w, &s, &err);
    weights_sort(&w);
    if (rc == 0 && hst_tensors_digest(w.t, w.n, NULL, 0, NULL, digest, &err))
        __builtin_trap();
    if (rc && rc != HST_EMODEL)
        __builtin_trap();
    weights_end(&w);
    hst_source_close(&s);
}
#endif
