/* decode.h - one decoder a format, below hst_image_decode. */
#ifndef HST_IMAGES_DECODE_H
#define HST_IMAGES_DECODE_H
#include "images/image.h"

/* A file in memory, whose first bytes already name its format. */
typedef struct hst_encoded {
    const uint8_t *bytes;
    size_t n;
    enum hst_resampler resampler; /* PIL or TF */
    int least;       /* pixels along the shorter side that are enough; 0: all (JPEG only) */
    int scales_gray; /* 1: 16-bit gray is scaled to 8 bits */
} hst_encoded;

/* What becomes of values over 255 (gray16.c). */
enum hst_gray16 { HST_GRAY16_CLIP, HST_GRAY16_HIGH, HST_GRAY16_SCALE };
/* Two bytes a pixel, the high one first, at the beginning of each of img's rows become RGB. */
void hst_gray16_to_rgb(hst_image *img, enum hst_gray16 how);

/* All: fill *out (which starts as {0}, and is cleared by the caller also after a failure) and set
 * *orientation to the EXIF value 1..8 where the file has one. Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_jpeg_decode(const hst_encoded *in, hst_image *out, int *orientation,
                              hst_err *err);
HST_CHECK int hst_png_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);
HST_CHECK int hst_gif_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);
HST_CHECK int hst_webp_decode(const hst_encoded *in, hst_image *out, int *orientation,
                              hst_err *err);
HST_CHECK int hst_bmp_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);
HST_CHECK int hst_pnm_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);
HST_CHECK int hst_qoi_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);
HST_CHECK int hst_ico_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);

/* What the header of a PNM says: channels, 1 or 3; 0 where it is damaged. */
int hst_pnm_header(const uint8_t *bytes, size_t n, int *w, int *h, int *bits);

/* A bitmap without its file header, as icons hold them: its header is at `at`, and the first 1 /
 * parts of its rows are the picture. *is_gray: its palette
 * counts from black to white. Errors: HST_EIMAGE, HST_EMEM. */
typedef struct hst_dib {
    size_t at;
    int parts;
} hst_dib;
HST_CHECK int hst_dib_decode(const hst_encoded *in, const hst_dib *dib, hst_image *out,
                             int *is_gray, hst_err *err);

/* What a WebP says of itself. */
typedef struct hst_webp_head {
    int w, h, has_alpha, is_animated;
} hst_webp_head;
int hst_webp_read_head(const uint8_t *bytes, size_t n, hst_webp_head *out); /* 1: *out is filled */

/* HST_EIMAGE: the file of that format ends too early. */
int hst_image_truncated(const char *format, hst_err *err);
/* HST_EIMAGE for an empty picture and one over HST_IMAGE_MAX_PIXELS. */
HST_CHECK int hst_image_check(uint64_t w, uint64_t h, hst_err *err);
/* Sets out's size, once checked, and allocates its pixels. Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_image_alloc(hst_image *out, uint64_t w, uint64_t h, hst_err *err);

/* The orientation (1..8) in an EXIF block, which is a small TIFF file, with or without "Exif\0\0"
 * in front, once or twice; 1 when it has none or is damaged. */
int hst_exif_orientation(const uint8_t *exif, size_t n);
/* The same; 0 where the block has no such tag, so that it may be said elsewhere. */
int hst_exif_find(const uint8_t *exif, size_t n, int *orientation);

/* What an XMP block, a text, says: 1..8; 1 where it says nothing. */
int hst_xmp_orientation(const uint8_t *xmp, size_t n);

/* What a whole file says, as Pillow reads it: 1..8. Errors: HST_EMEM. */
HST_CHECK int hst_jpeg_orientation(const uint8_t *bytes, size_t n, int *orientation, hst_err *err);
HST_CHECK int hst_png_orientation(const uint8_t *bytes, size_t n, int *orientation, hst_err *err);
int hst_webp_orientation(const uint8_t *bytes, size_t n);

/* Turns the picture the way its EXIF orientation says. Errors: HST_EMEM. */
HST_CHECK int hst_image_orient(hst_image *img, int orientation, hst_err *err);
#endif
