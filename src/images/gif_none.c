/* gif_none.c - in place of gif.c where there is no giflib. */
#include "base/parts.h"
#include "images/decode.h"

int hst_gif_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    (void)in;
    (void)out;
    (void)orientation;
    return hst_part_missing(HST_PART_GIF, err);
}
