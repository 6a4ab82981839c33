/* views.h - in which ways a photo is shown to a backbone, as a user says it: "mirror,288,crop". */
#ifndef HST_BACKBONES_VIEWS_H
#define HST_BACKBONES_VIEWS_H
#include "images/prepare.h"

enum { HST_VIEW_SIZES = 3 }; /* besides the backbone's own */

/* All zero: the whole photo at the backbone's own size, and nothing else. */
typedef struct hst_views {
    int mirror;                    /* 1: every view a second time, left and right exchanged */
    int crop;                      /* 1: the middle too, 7/8 of the photo's shorter edge */
    hst_size size[HST_VIEW_SIZES]; /* whole photos of these sizes too */
    int n_sizes;
} hst_views;

enum { HST_MAX_VIEWS = 2 * (HST_VIEW_SIZES + 2) };

/* A list of "mirror", "crop" and sizes (images/size.h), each once, in any order. HST_EARG: anything
 * else. */
HST_CHECK int hst_views_parse(const char *text, hst_views *out, hst_err *err);

/* Makes *out show the photo's middle alone: 7/8 of what covers base's size. */
void hst_view_crop(const hst_prep *base, hst_prep *out);

/* The preparations that base, that of the first view, stands for: sizes, then the crop, then all of
 * them mirrored. Returns how many. A size equal to base's is no second view. */
int hst_views_list(const hst_views *v, const hst_prep *base, hst_prep out[HST_MAX_VIEWS]);
#endif
