/* prepare.h - pixels -> the tensor a backbone wants: the one preparation function for training,
 * evaluation, prediction and export. */
#ifndef HST_IMAGES_PREPARE_H
#define HST_IMAGES_PREPARE_H
#include "images/image.h"

/* out = (pixel - mean) / std for red, green, blue; pixel in 0..255. */
typedef struct hst_norm {
    float mean[3], std[3];
} hst_norm;

/* Everything that decides what the backbone sees; stored in the model file. */
typedef struct hst_prep {
    enum hst_contract contract; /* decoder, EXIF, and resize:
                                   PIL: Image.resize((px, px), BILINEAR), antialiased, 8-bit result
                                   TF:  tf.image.resize(bilinear, antialias=False), float result */
    int px;                     /* output height and width; the photo is squashed to the square */
    hst_norm norm;              /* how a pixel becomes a number */
} hst_prep;

/* "pil" or "tf"; and back: -1 and HST_EARG for any other name. */
const char *hst_contract_name(enum hst_contract c);
HST_CHECK int hst_contract_parse(const char *name, enum hst_contract *out, hst_err *err);

/* out[px][px][3] from a decoded image. Errors: HST_EMEM. */
HST_CHECK int hst_prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err);
/* Decode and prepare. Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_prepare_bytes(const hst_prep *p, const uint8_t *bytes, size_t n, float *out,
                                hst_err *err);
#endif
