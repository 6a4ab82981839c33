/* augment.h - photos changed at random while a network learns, so that few photos go further. */
#ifndef HST_IMAGES_AUGMENT_H
#define HST_IMAGES_AUGMENT_H
#include "images/prepare.h"

/* HST_AUGMENT_NONE      hst_prepare alone
 * HST_AUGMENT_TUTORIAL  hst_prepare, then what the layers of the TF Hub retraining tutorial do in
 *                       Keras 2, a bilinear pass each: RandomRotation(40), which is up to 40 turns
 *                       either way and so any angle; RandomTranslation(0, .2);
 *                       RandomTranslation(.2, 0); RandomZoom(.2, .2); RandomFlip("horizontal")
 * HST_AUGMENT_AUTO      a part of the photo, stretched, tilted and mirrored, out of the decoded
 *                       pixels in one pass; then brightness, contrast and saturation. Widened
 *                       filters (antialiasing) where hst_prepare would use them. */
enum hst_augment { HST_AUGMENT_NONE, HST_AUGMENT_TUTORIAL, HST_AUGMENT_AUTO };
/* "none", ... by the enum; NULL ends them. */
extern const char *const hst_augment_names[];

/* What the random numbers of a photo depend on, and nothing else: not on threads, not on other
 * photos. */
typedef struct hst_augment_key {
    uint64_t seed;
    uint32_t epoch, photo;
} hst_augment_key;

/* In place of hst_prepare: out[height][width][3] of p's size, normalised. Any thread may call it at
 * any time. Errors: as hst_prepare. */
HST_CHECK int hst_augment_image(enum hst_augment how, const hst_prep *p, const hst_image *img,
                                const hst_augment_key *key, float *out, hst_err *err);

/* ---- tutorial ---- */

/* What RandomRotation and the layers behind it draw for one photo. */
typedef struct hst_tutorial_draw {
    float angle;  /* radians */
    float dx, dy; /* pixels; to the right and down */
    float zx, zy; /* above 1: the photo shrinks */
    int flip;
} hst_tutorial_draw;

hst_tutorial_draw hst_tutorial_draw_new(const hst_augment_key *key, int w, int h);

/* Where an output pixel comes from: (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), the first six
 * numbers of Keras' transforms. */
typedef struct hst_warp {
    float m[6];
} hst_warp;
hst_warp hst_warp_rotation(float angle, int w, int h);
hst_warp hst_warp_translation(float dx, float dy);
hst_warp hst_warp_zoom(float zx, float zy, int w, int h);

/* out[h][w][3] from in, bilinear, with what is outside reflected (the edge repeated), float32 in
 * the order of TensorFlow's ImageProjectiveTransformV3. */
void hst_warp_apply(const hst_warp *t, const float *in, int w, int h, float *out);

/* All five layers, in place. Errors: HST_EMEM. */
HST_CHECK int hst_tutorial_apply(const hst_tutorial_draw *d, float *x, int w, int h, hst_err *err);

/* n positions along an axis of `length` pixels, those outside reflected as TensorFlow's fill_mode
 * "reflect" does: d c b a | a b c d | d c b a. */
void hst_reflect(float *at, int n, int length);

/* ---- auto ---- */

typedef struct hst_auto_draw {
    float area, aspect;                     /* of the part, against the photo's */
    float x, y;                             /* its place among those possible, 0..1 */
    float angle;                            /* radians */
    int flip;                               /* left becomes right */
    float brightness, contrast, saturation; /* 1: unchanged */
} hst_auto_draw;

hst_auto_draw hst_auto_draw_new(const hst_augment_key *key);
HST_CHECK int hst_auto_apply(const hst_auto_draw *d, const hst_prep *p, const hst_image *img,
                             float *out, hst_err *err);
#endif
