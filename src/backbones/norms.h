/* norms.h - how a backbone's pixels become numbers: the usual ways by name, and from JSON. */
#ifndef HST_BACKBONES_NORMS_H
#define HST_BACKBONES_NORMS_H
#include "images/prepare.h"

struct json_t; /* jansson.h */

/* clang-format off */
#define HST_NORM_PM1      {{127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}}
#define HST_NORM_IMAGENET {{123.675f, 116.28f, 103.53f}, {58.395f, 57.12f, 57.375f}}
#define HST_NORM_128      {{128, 128, 128}, {128, 128, 128}}
#define HST_NORM_01       {{0, 0, 0}, {255, 255, 255}}
/* clang-format on */

/* Of DINOv3's weights, which asks that it be passed on with them. */
#define HST_LICENCE_DINOV3 "DINOv3 License"

/* "pm1", "01", "imagenet", "255" -> normalisation of pixels in 0..255. HST_EARG: none of these. */
HST_CHECK int hst_pixel_norm_named(const char *name, hst_pixel_norm *out, hst_err *err);
/* The name of a normalisation; NULL: it has none. */
const char *hst_pixel_norm_name(const hst_pixel_norm *n);
/* HST_EMODEL: means or deviations that pixels in 0..255 cannot have. */
HST_CHECK int hst_pixel_norm_check(const hst_pixel_norm *n, hst_err *err);
/* The members "mean" and "std", checked. */
HST_CHECK int hst_pixel_norm_parse(const struct json_t *o, hst_pixel_norm *out, hst_err *err);
#endif
