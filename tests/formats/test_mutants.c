/* Some thousand damaged PyTorch files through the parsers themselves, where
 * sanitizers see everything: no crash, no leak, an error of the right kind (the entry points of
 * tests/fuzz check that). */
#include "support.h"

#include "base/file.h"
#include "base/random.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void seed(const char *name, uint8_t **bytes, size_t *n)
{
    hst_err err = {0};
    const char *root = getenv("HEADSTART_ROOT");
    char *path = hst_path_join(root ? root : ".", name, &err);
    check_ok(hst_file_read(path, 1 << 20, HST_EIO, bytes, n, &err), &err);
    free(path);
}

/* One to four changes: a byte, a bit, a 32-bit number of a nasty kind, a stretch moved. */
static void mutate(uint8_t *p, size_t n, hst_rng *r)
{
    static const uint32_t nasty[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x10000};
    for (uint32_t k = 0, changes = 1 + hst_rng_below(r, 4); k < changes; k++) {
        size_t at = hst_rng_below(r, (uint32_t)n), from = hst_rng_below(r, (uint32_t)n);
        size_t most = n - (at > from ? at : from);
        switch (hst_rng_below(r, 4)) {
        case 0:
            p[at] = (uint8_t)hst_rng_u32(r);
            break;
        case 1:
            p[at] ^= (uint8_t)(1u << hst_rng_below(r, 8));
            break;
        case 2:
            memcpy(p + at, &nasty[hst_rng_below(r, 7)], n - at < 4 ? n - at : 4);
            break;
        default:
            memmove(p + at, p + from, hst_rng_below(r, (uint32_t)(most < 64 ? most : 64) + 1));
        }
    }
}

static void mutants_of(const char *name, uint32_t many)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    seed(name, &bytes, &n);
    for (uint32_t i = 0; i < many; i++) {
        hst_rng r = hst_rng_new(1, HST_RNG_SHUFFLE, i, 0);
        size_t keep = hst_rng_below(&r, 8) ? n : 1 + hst_rng_below(&r, (uint32_t)n);
        uint8_t *copy = malloc(keep); /* exact size, so that sanitizers see any overrun */
        memcpy(copy, bytes, keep);
        mutate(copy, keep, &r);
        LLVMFuzzerTestOneInput(copy, keep);
        free(copy);
    }
    free(bytes);
}

static void zip_layout(void **state)
{
    (void)state;
    mutants_of("tests/golden/formats/odd.pth", 3000);
}

static void old_layout(void **state)
{
    (void)state;
    mutants_of("tests/golden/formats/odd_legacy.pth", 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zip_layout),
        cmocka_unit_test(old_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
