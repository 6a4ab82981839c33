/* bytes.h - little-endian numbers at any address. */
#ifndef CONVERT_BYTES_H
#define CONVERT_BYTES_H
#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
    const uint8_t *p;
    size_t n;
} bytes;

static inline uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static inline float le_float(const uint8_t *p)
{
    union {
        uint32_t u;
        float f;
    } x = {le32(p)};
    return x.f;
}

/* Whether off .. off + n lies inside whole. */
static inline int within(uint64_t off, uint64_t n, uint64_t whole)
{
    return off <= whole && n <= whole - off;
}
#endif
