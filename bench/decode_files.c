/* decode_files - the pixels that this library decodes of any files: for bench/corpus.py.
 *
 *     decode_files pil|tf < PATHS, one a line
 *
 * Writes for each "W H\n" and W * H * 3 bytes, or "error WHY\n". */
#include "base/file.h"
#include "images/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int decode(const char *path, enum hst_resampler resampler, hst_image *out, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_image_decode(&(hst_decode){.resampler = resampler}, bytes, n, out, err);
    free(bytes);
    return rc;
}

int main(int argc, char **argv)
{
    char path[4096];
    enum hst_resampler resampler;
    hst_err err = {0};
    if (argc != 2 || hst_resampler_parse(argv[1], &resampler, &err)) {
        fputs("usage: decode_files pil|tf < PATHS\n", stderr);
        return 2;
    }
    while (fgets(path, sizeof path, stdin)) {
        hst_image img = {0};
        path[strcspn(path, "\n")] = 0;
        err = (hst_err){0};
        if (decode(path, resampler, &img, &err)) {
            printf("error %s\n", err.msg);
        } else {
            printf("%d %d\n", img.w, img.h);
            fwrite(img.rgb, 3, (size_t)img.w * (size_t)img.h, stdout);
        }
        fflush(stdout);
        hst_image_clear(&img);
    }
    return 0;
}
