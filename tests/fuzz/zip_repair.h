/* zip_repair.h - makes the check sums of a damaged zip right: else hardly a mutant would get past
 * them. APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16; members that are deflated stay as they are. */
#ifndef HST_TESTS_FUZZ_ZIP_REPAIR_H
#define HST_TESTS_FUZZ_ZIP_REPAIR_H
#include "bytes.h"

#include <string.h>
#include <zlib.h>

enum { ZIP_END = 22, ZIP_CENTRAL = 46, ZIP_LOCAL = 30 }; /* sizes without names */

static inline void zip_repair_member(uint8_t *p, size_t n, uint8_t *central)
{
    uint64_t local = le32(central + 42), size = le32(central + 20);
    if (le16(central + 10) != 0 || local + ZIP_LOCAL > n)
        return;
    uint64_t data = local + ZIP_LOCAL + le16(p + local + 26) + le16(p + local + 28);
    if (data > n || size > n - data)
        return;
    uint32_t sum = (uint32_t)crc32(0, p + data, (uInt)size);
    for (int i = 0; i < 4; i++)
        central[16 + i] = p[local + 14 + (unsigned)i] = (uint8_t)(sum >> 8 * i);
}

static inline void zip_repair(uint8_t *p, size_t n)
{
    if (n < ZIP_END || memcmp(p + n - ZIP_END, "PK\5\6", 4) != 0)
        return;
    uint64_t at = le32(p + n - 6);
    for (int left = le16(p + n - 12); left > 0 && at + ZIP_CENTRAL <= n; left--) {
        uint8_t *central = p + at;
        if (memcmp(central, "PK\1\2", 4) != 0)
            return;
        zip_repair_member(p, n, central);
        at += ZIP_CENTRAL + (uint64_t)le16(central + 28) + le16(central + 30) + le16(central + 32);
    }
}
#endif
