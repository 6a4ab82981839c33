/* crc32c.h - CRC-32C (Castagnoli), masked as LevelDB and TensorFlow store it. zlib has another
 * polynomial only, and a library for thirty lines is not worth its place among the dependencies. */
#ifndef HST_BASE_CRC32C_H
#define HST_BASE_CRC32C_H
#include <stddef.h>
#include <stdint.h>

typedef struct hst_crc32c {
    uint32_t table[8][256]; /* table[k][b]: byte b with k bytes behind it */
} hst_crc32c;

void hst_crc32c_init(hst_crc32c *c);
/* The check sum of p[0 .. n), rotated by 15 bits and shifted, so that a sum over data that holds
 * sums is no fixed point. */
uint32_t hst_crc32c_masked(const hst_crc32c *c, const void *p, size_t n);
#endif
