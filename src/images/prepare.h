/* prepare.h - pixels -> the tensor a backbone wants: the one preparation function for training,
 * evaluation, prediction and export. */
#ifndef HST_IMAGES_PREPARE_H
#define HST_IMAGES_PREPARE_H
#include "images/image.h"
#include "images/resize.h"
#include "images/size.h"

/* out = (pixel - mean) / std for red, green, blue; pixel in 0..255. */
typedef struct hst_pixel_norm {
    float mean[3], std[3];
} hst_pixel_norm;

/* How a photo of any shape becomes one of the size, mostly a square, that the network wants:
 *  HST_SQUASH            resized to that size, whatever its shape
 *  HST_CROP_TORCHVISION  resized in proportion until it covers `resize` (of a square: the shorter
 *                        edge to its side, the longer one rounded down, as torchvision's Resize
 *                        does; else to the nearest, as timm's ResizeKeepRatio), then the middle cut
 *                        out, whose corner is rounded half to even, as CenterCrop does
 *  HST_CROP_HF           the same with the corner rounded down, as Hugging Face's image processors
 *                        do
 *  HST_PAD               resized in proportion until it just fits in, and laid on the middle of a
 *                        plain ground, as Pillow's ImageOps.pad does. The ground has the network's
 *                        mean colour, which becomes 0; middle gray where its mean is black */
enum hst_geometry { HST_SQUASH, HST_CROP_TORCHVISION, HST_CROP_HF, HST_PAD };

/* Everything that decides what the backbone sees; stored in the model file. */
typedef struct hst_prep {
    enum hst_resampler resampler; /* decoder, EXIF, and resize:
                                   PIL: Image.resize, antialiased, 8-bit result
                                   TF:  tf.image.resize, float result
                                   FAST: as PIL, from a JPEG decoded no larger than needed
                                   SCALED: as PIL, from 16-bit gray scaled to 8 */
    hst_size size;                /* of the output */
    hst_pixel_norm norm;          /* how a pixel becomes a number */
    enum hst_interpolation interpolation;
    enum hst_geometry geometry;
    hst_size resize; /* nowhere less than size; 0 where nothing is cut out */
    int mirror;      /* 1: left and right change places, after all else */
} hst_prep;

/* "pil", "tf", "fast" or "scaled"; and back: -1 and HST_EARG for any other name. */
const char *hst_resampler_name(enum hst_resampler c);
/* Whether gray of more than 8 bits is clipped to white, not scaled. */
int hst_resampler_clips(enum hst_resampler c);
HST_CHECK int hst_resampler_parse(const char *name, enum hst_resampler *out, hst_err *err);
/* Sets p's geometry: "squash"; "crop", the middle of a photo that just covers p's size; "pad".
 * HST_EARG: any other word. */
HST_CHECK int hst_prep_fit(hst_prep *p, const char *fit, hst_err *err);
/* What it is called by those who choose one: a resampler's name, "hub" where photos are brought to
 * their size in another way than by hst_prep_fit and bilinear interpolation. */
const char *hst_prep_name(const hst_prep *p);
/* "bilinear", "bicubic", "bilinear-antialias", "bicubic-antialias"; and back, as above. */
const char *hst_interpolation_name(enum hst_interpolation i);
HST_CHECK int hst_interpolation_parse(const char *name, enum hst_interpolation *out, hst_err *err);
/* "squash", "crop-torchvision", "crop-hf", "letterbox"; and back, as above. */
const char *hst_geometry_name(enum hst_geometry g);
HST_CHECK int hst_geometry_parse(const char *name, enum hst_geometry *out, hst_err *err);

/* Whether the fields fit each other. Errors: HST_EARG. */
HST_CHECK int hst_prep_check(const hst_prep *p, hst_err *err);

/* Pixels along the shorter side of a photo that are enough for it; 0: all of them, unless the
 * resampler is HST_RESAMPLE_FAST. */
int hst_prep_least_px(const hst_prep *p);

/* Whether only a part of a photo is seen. */
int hst_prep_crops(const hst_prep *p);

/* The part of a decoded image of w x h pixels that is seen, as shares of its width and height; all
 * of it where it is squashed, and more where it is padded. Errors: as hst_prepare. */
typedef struct hst_image_part {
    double left, top, width, height;
} hst_image_part;
HST_CHECK int hst_prep_part(const hst_prep *p, int w, int h, hst_image_part *out, hst_err *err);

/* out[height][width][3] from a decoded image. Errors: HST_EIMAGE (resized before the crop it would
 * be too long), HST_EMEM. */
HST_CHECK int hst_prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err);
/* Decode, in this process, and prepare. Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_prepare_bytes(const hst_prep *p, const uint8_t *bytes, size_t n, float *out,
                                hst_err *err);
#endif
