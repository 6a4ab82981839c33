#include "base/crc32c.h"

static const uint32_t polynomial = 0x82f63b78; /* of RFC 3720, bits reversed */

void hst_crc32c_init(hst_crc32c *c)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t x = b;
        for (int bit = 0; bit < 8; bit++)
            x = x >> 1 ^ (x & 1 ? polynomial : 0);
        c->table[0][b] = x;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            c->table[k][b] = c->table[k - 1][b] >> 8 ^ c->table[0][c->table[k - 1][b] & 0xff];
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Eight bytes a step: each has a table of its own, so that the look-ups do not wait for one another
 * ("slicing by 8", Kounavis and Berry 2005). */
uint32_t hst_crc32c_masked(const hst_crc32c *c, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t x = 0xffffffff;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = x ^ le32(p), b = le32(p + 4);
        x = c->table[7][a & 0xff] ^ c->table[6][a >> 8 & 0xff] ^ c->table[5][a >> 16 & 0xff] ^
            c->table[4][a >> 24] ^ c->table[3][b & 0xff] ^ c->table[2][b >> 8 & 0xff] ^
            c->table[1][b >> 16 & 0xff] ^ c->table[0][b >> 24];
    }
    for (; n; n--, p++)
        x = x >> 8 ^ c->table[0][(x ^ *p) & 0xff];
    x = ~x;
    return (x >> 15 | x << 17) + 0xa282ead8;
}
