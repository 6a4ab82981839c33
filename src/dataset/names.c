#include "dataset/names.h"

#include <string.h>
#include <strings.h>

int hst_names_photo(const char *s, size_t n)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png",  ".webp", ".bmp",  ".gif",
                                          ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl",
                                          ".jp2", ".j2k",  ".jfif", ".jpe",  ".ppm",  ".pgm",
                                          ".pbm", ".pnm",  ".qoi",  ".ico",  ".apng", ".mpo"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t m = strlen(endings[i]);
        if (n > m && strncasecmp(s + n - m, endings[i], m) == 0)
            return 1;
    }
    return 0;
}
