/* extractor.h - what turns a photo into one vector of features.
 *
 * A branch is one backbone, to which the photo is shown in one or several views; its features are
 * their mean, transformed. The vector is that of the branches one behind the other. The usual
 * extractor has one branch with one view and no transform: what the backbone says, bit for bit. */
#ifndef HST_EXTRACTOR_EXTRACTOR_H
#define HST_EXTRACTOR_EXTRACTOR_H
#include "backbones/backbone.h"
#include "images/augment.h"
#include "images/picture.h"

/* Of a branch's features x, before a linear head:
 *  HST_ROOT    sign(x) sqrt(|x|), which brings large values nearer to small ones (the "power
 *              normalisation" of Perronnin et al. 2010)
 *  HST_UNIT    x / |x|, so that every photo's vector has the same length; 0 stays 0 */
enum hst_transform { HST_IDENTITY, HST_ROOT, HST_UNIT, HST_TRANSFORMS };
/* "identity", "sqrt", "l2", by the enum; NULL ends them. */
extern const char *const hst_transform_names[];

/* One way in which a photo is shown to a backbone. */
typedef struct hst_view {
    hst_prep prep;
    const hst_plan *plan;
    hst_plan *owned; /* the plan where it is not the backbone's own, as for another size */
    hst_shape map;   /* h 0, or of what the plan gives in front of the features (maps.c) */
    size_t before;   /* numbers in front of it, of tokens without a place */
} hst_view;

typedef struct hst_branch {
    const hst_backbone *backbone;
    hst_backbone *owned; /* NULL: the backbone is borrowed */
    enum hst_transform transform;
    int dim, first; /* of its features: how many, and where they begin in the whole */
    int n_views;
    hst_view view[HST_MAX_VIEWS];
} hst_branch;

typedef struct hst_extractor {
    int dim;         /* of the vector */
    int view_floats; /* of the features of all views one behind the other, branch by branch */
    int n_branches;
    hst_branch branch[HST_MAX_BESIDE];
} hst_extractor;

/* How a photo is prepared for backbone b by the name of it (NULL: "pil"), as hst_features_compute
 * has it. HST_EARG: unknown, or "hub" where the backbone says nothing of it. */
HST_CHECK int hst_extractor_prep(const hst_backbone *b, const char *prepare, hst_prep *out,
                                 hst_err *err);

HST_CHECK hst_extractor *hst_extractor_new(hst_err *err);
void hst_extractor_free(hst_extractor *e);
/* Of b and those beside it, borrowed, with their views. Errors: as hst_extractor_prep, HST_EMODEL
 * (a backbone cannot see photos of a view's size), HST_EMEM. */
HST_CHECK hst_extractor *hst_extractor_of(const hst_ctx *ctx, const hst_backbone *b,
                                          const char *prepare, hst_err *err);
/* Adds a branch without views; borrows b. HST_EARG: there are HST_MAX_BESIDE. */
HST_CHECK int hst_extractor_add_branch(hst_extractor *e, const hst_backbone *b, hst_err *err);
/* Adds a view to the last branch. HST_EARG: too many; HST_EMODEL, HST_EMEM as above. ctx may be
 * NULL where the view has the backbone's own size. */
HST_CHECK int hst_extractor_add_view(hst_extractor *e, const hst_ctx *ctx, const hst_prep *p,
                                     hst_err *err);
/* The same with the weights of g, of the last branch's network, which runs by those options (NULL:
 * as it makes features). */
HST_CHECK int hst_extractor_add_view_with(hst_extractor *e, const hst_ctx *ctx, const hst_graph *g,
                                          const hst_plan_options *o, const hst_prep *p,
                                          hst_err *err);
/* A copy that borrows every backbone: e outlives it, unless it passes them on by
 * hst_extractor_give. Errors: as hst_extractor_add_view. */
HST_CHECK hst_extractor *hst_extractor_copy(const hst_extractor *e, const hst_ctx *ctx,
                                            hst_err *err);
/* A copy that borrows every backbone, to look at photos with by hst_looking_view() alone: a view
 * gives first, behind view.before other numbers, the last feature map, view.map, then the features,
 * which are its mean over the positions. The weights of all networks are there a second time.
 * Errors: HST_EUNSUP (a network does not end in such a mean), HST_EMODEL, HST_EMEM. */
HST_CHECK hst_extractor *hst_extractor_with_maps(const hst_extractor *e, const hst_ctx *ctx,
                                                 hst_err *err);
/* A copy that borrows every backbone, without fused steps, to be watched (hst_looking_watch).
 * Errors: HST_EMODEL, HST_EMEM. */
HST_CHECK hst_extractor *hst_extractor_watched(const hst_extractor *e, const hst_ctx *ctx,
                                               hst_err *err);
/* What e owns of the backbones that `to` borrows is to's from now on. */
void hst_extractor_give(hst_extractor *e, hst_extractor *to);
/* e, which has one branch, with the weights of g, of the same network, in the place of its own.
 * Errors: as hst_extractor_add_view. */
HST_CHECK hst_extractor *hst_extractor_learned(const hst_extractor *e, const hst_ctx *ctx,
                                               const hst_graph *g, hst_err *err);
/* Puts b in the place of the last branch's backbone, whose weights learned, and owns it. Errors: as
 * hst_extractor_add_view; e is then as it was, and b still the caller's. */
HST_CHECK int hst_extractor_replace(hst_extractor *e, const hst_ctx *ctx, hst_backbone *b,
                                    hst_err *err);

/* The i-th of all views, branch by branch; NULL past the end. at: where its features are among
 * view_floats; branch: number of its branch (both may be NULL). */
const hst_view *hst_extractor_view(const hst_extractor *e, int i, int *at, int *branch);
int hst_extractor_n_views(const hst_extractor *e);

/* out[dim] = transform of the mean of view[0 .. n-1][dim]. */
void hst_views_combine(const float *const *view, int n, int dim, enum hst_transform t, float *out);
/* out[dim] from the features of all views[view_floats]. */
void hst_extractor_combine(const hst_extractor *e, const float *views, float *out);

/* Multiply-adds of a photo, against those of the first branch's first view. */
double hst_extractor_cost(const hst_extractor *e);
/* Of a view of b beside e, at b's own size. */
double hst_extractor_cost_beside(const hst_extractor *e, const hst_backbone *b);
/* "efficientnet_lite0 224, mirror; mobilenet_v2 224": for people. Cut where it does not fit. */
void hst_extractor_describe(const hst_extractor *e, char *out, size_t cap);

/* ---- photos through it ---- */

/* The memory of one thread. */
typedef struct hst_looking hst_looking;
HST_CHECK hst_looking *hst_looking_new(const hst_ctx *ctx, const hst_extractor *e, hst_err *err);
void hst_looking_free(hst_looking *l);
/* From now on the photo is that of an image file, or of pixels; borrowed until the next. */
void hst_looking_at_bytes(hst_looking *l, const void *bytes, size_t n);
void hst_looking_at_image(hst_looking *l, const hst_image *img);
/* What is to be remembered of its pixels, as they are decoded for the first view. Errors:
 * HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_looking_picture(hst_looking *l, hst_picture *out, hst_err *err);
/* Until the next photo it is seen as augmentation changes it for this key, every view of it. */
void hst_looking_change(hst_looking *l, enum hst_augment how, const hst_augment_key *key);
/* All that the network of the i-th of all views makes is told; features[dim] are by the way. The
 * extractor is an hst_extractor_watched. Errors: as below. */
HST_CHECK int hst_looking_watch(hst_looking *l, int i, hst_plan_watch *watch, void *arg,
                                float *features, hst_err *err);
/* Features of the i-th of all views. together: NULL, or all threads compute this photo (the same
 * bits). Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_looking_view(hst_looking *l, int i, hst_executor *together, float *out,
                               hst_err *err);
/* The same later: together with other views, of this photo and of further ones, where its network
 * does best with several at a time, at the latest in hst_looking_flush. The photo may go, out must
 * stay. */
HST_CHECK int hst_looking_later(hst_looking *l, int i, float *out, hst_err *err);
/* All that was to be done later. Errors: HST_EMEM; nothing waits then either. */
HST_CHECK int hst_looking_flush(hst_looking *l, hst_err *err);
/* How many views e's networks do best at a time; 1: one after the other. */
int hst_extractor_images(const hst_extractor *e);
/* Size of the photo as it was decoded for the last view. */
void hst_looking_size(const hst_looking *l, int *w, int *h);
/* out[dim] of the photo. */
HST_CHECK int hst_looking_run(hst_looking *l, hst_executor *together, float *out, hst_err *err);
#endif
