/* crc32c.h - CRC-32C (Castagnoli), masked as LevelDB and TensorFlow store it. zlib has another
 * polynomial only, and a library for thirty lines is not worth its place among the dependencies. */
#ifndef CONVERT_CRC32C_H
#define CONVERT_CRC32C_H
#include <stddef.h>
#include <stdint.h>

typedef struct crc32c {
    uint32_t table[8][256]; /* table[k][b]: byte b with k bytes behind it */
} crc32c;

void crc32c_init(crc32c *c);
/* The check sum of p[0 .. n), rotated by 15 bits and shifted, so that a sum over data that holds
 * sums is no fixed point. */
uint32_t crc32c_masked(const crc32c *c, const void *p, size_t n);
#endif
