#include "inspection/outline.h"

#include <math.h>

void hst_outline_of(const uint8_t *thumb, int16_t out[HST_OUTLINE])
{
    enum { CELL = HST_THUMB_PX / HST_OUTLINE_PX };
    float cell[HST_OUTLINE] = {0}, mean = 0, squares = 0;
    for (int i = 0; i < HST_THUMB_PX * HST_THUMB_PX; i++)
        cell[i / HST_THUMB_PX / CELL * HST_OUTLINE_PX + i % HST_THUMB_PX / CELL] += thumb[i];
    for (int i = 0; i < HST_OUTLINE; i++)
        mean += cell[i] / HST_OUTLINE;
    for (int i = 0; i < HST_OUTLINE; i++)
        squares += (cell[i] - mean) * (cell[i] - mean);
    for (int i = 0; i < HST_OUTLINE; i++)
        out[i] = (int16_t)(squares > 0 ? (cell[i] - mean) / sqrtf(squares) * HST_OUTLINE_UNIT : 0);
}

void hst_outline_mirror(const int16_t in[HST_OUTLINE], int16_t out[HST_OUTLINE])
{
    for (int i = 0; i < HST_OUTLINE; i++)
        out[i] = in[i / HST_OUTLINE_PX * HST_OUTLINE_PX + HST_OUTLINE_PX - 1 - i % HST_OUTLINE_PX];
}
