/* format.h - what a file is by its first bytes. */
#ifndef HST_IMAGES_FORMAT_H
#define HST_IMAGES_FORMAT_H
#include <stddef.h>
#include <stdint.h>

/* Those that no build reads are known so that a message can say what a file is. Numbers are kept in
 * the feature store: new ones come last. */
enum hst_format {
    HST_FORMAT_UNKNOWN,
    HST_FORMAT_JPEG,
    HST_FORMAT_PNG,
    HST_FORMAT_GIF,
    HST_FORMAT_WEBP,
    HST_FORMAT_BMP,
    HST_FORMAT_TIFF,
    HST_FORMAT_HEIC,
    HST_FORMAT_AVIF,
    HST_FORMAT_JXL,
    HST_FORMAT_JP2,
    HST_FORMAT_PSD,
    HST_FORMAT_SVG,
    HST_FORMAT_PNM,
    HST_FORMAT_QOI,
    HST_FORMAT_ICO,
    HST_FORMAT_PAM,
    HST_FORMAT_DICOM,
    HST_FORMAT_NIFTI,
    HST_FORMATS
};
#define HST_FORMAT_MAGIC_BYTES 132

/* By the first bytes, of which HST_FORMAT_MAGIC_BYTES are enough. */
enum hst_format hst_format_of(const uint8_t *bytes, size_t n);
/* "JPEG", ...; "unknown". */
const char *hst_format_name(enum hst_format f);
/* Whether this build decodes it; 0 for HST_FORMAT_UNKNOWN. */
int hst_format_is_read(enum hst_format f);
/* Whether headstart-decode decodes it, so that pixels may depend on a library's version. */
int hst_format_is_by_helper(enum hst_format f);
/* The library that this build was made without and another reads it with: "libheif". NULL where it
 * is read, or no build reads it. */
const char *hst_format_needs(enum hst_format f);
/* What a file is that is no picture, "a web page (HTML)"; NULL: not known. */
const char *hst_format_other(const uint8_t *bytes, size_t n);
/* The format that the ending of a file's name stands for. */
enum hst_format hst_format_of_name(const char *name);

#endif
