/* colour.h - colours to RGB as Pillow's Image.convert("RGB") has them. */
#ifndef DECODE_COLOUR_H
#define DECODE_COLOUR_H
#include <stdint.h>

static inline uint8_t colour_clip(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Four inks, 0 none to 255 full. */
static inline void colour_of_inks(int c, int m, int y, int k, uint8_t rgb[3])
{
    const int ink[3] = {c, m, y}, light = 255 - k;
    for (int i = 0; i < 3; i++) {
        const int t = ink[i] * light + 128; /* / 255, rounded */
        rgb[i] = colour_clip(light - (((t >> 8) + t) >> 8));
    }
}

/* A factor's part of a colour, in 64ths. */
static inline int colour_part(double factor, int v)
{
    return (int)(factor * (v - 128) * 64 + 0.5);
}

/* Full-range ITU-R BT.601. */
static inline void colour_of_ycc(int y, int cb, int cr, uint8_t rgb[3])
{
    rgb[0] = colour_clip(y + (colour_part(1.402, cr) >> 6));
    rgb[1] = colour_clip(y + ((colour_part(-0.34414, cb) + colour_part(-0.71414, cr)) >> 6));
    rgb[2] = colour_clip(y + (colour_part(1.772, cb) >> 6));
}

/* A colour that was multiplied by its opacity. */
static inline uint8_t colour_undo_alpha(int v, int a)
{
    return a == 0 ? 0 : colour_clip(255 * v / a);
}
#endif
