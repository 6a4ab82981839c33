#include "images/picture.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

hst_picture hst_picture_of(const hst_image *img)
{
    const size_t w = (size_t)img->w, h = (size_t)img->h;
    const uint64_t hash = XXH64(img->rgb, w * h * 3, (uint64_t)w << 32 | h);
    return (hst_picture){.pixels = hash ? hash : 1, .w = img->w, .h = img->h};
}
