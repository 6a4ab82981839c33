/* augment.c - which augmentation, by name. */
#include "images/augment.h"

const char *const hst_augment_names[] = {[HST_AUGMENT_NONE] = "none",
                                         [HST_AUGMENT_TUTORIAL] = "tutorial",
                                         [HST_AUGMENT_AUTO] = "auto",
                                         NULL};

int hst_augment_image(enum hst_augment how, const hst_prep *p, const hst_image *img,
                      const hst_augment_key *key, float *out, hst_err *err)
{
    if (how == HST_AUGMENT_AUTO) {
        hst_auto_draw d = hst_auto_draw_new(key);
        return hst_auto_apply(&d, p, img, out, err);
    }
    int rc = hst_prepare(p, img, out, err);
    if (rc || how == HST_AUGMENT_NONE)
        return rc;
    hst_tutorial_draw d = hst_tutorial_draw_new(key, p->size.width, p->size.height);
    return hst_tutorial_apply(&d, out, p->size.width, p->size.height, err);
}
