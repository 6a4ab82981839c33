/* explain.h - class-activation maps: what of a class's logit comes from where on a photo.
 *
 * A feature x_k of a branch is the mean over its views v, and over the positions p of their last
 * feature maps, of the map's channel k:
 *
 *     x_k = 1/V sum_v 1/P_v sum_p A_vk(p)
 *
 * The head sees f_k = T(x)_k, T the branch's transform, and the logit is b + sum_k w_k f_k. What
 * f_k brings is shared out among the positions as x_k is, so that a position of a view is worth
 *
 *     m_v(p) = sum_k w_k (f_k / x_k) A_vk(p) / V
 *
 * and the mean of m_v over positions, summed over all views of all branches, is the logit without
 * its bias, up to rounding. Without a transform f_k / x_k is 1 and this is the class-activation map
 * of Zhou et al. 2016; of the square root it is twice the gradient (Selvaraju et al. 2017).
 *
 * On the photo a position is the part of it that it is the middle of; what a view has of the logit
 * is spread over the part of the photo that it shows. */
#ifndef HST_PREDICTION_EXPLAIN_H
#define HST_PREDICTION_EXPLAIN_H
#include "model/model.h"

/* hst_explainer_open. maps: NULL, or hst_extractor_with_maps of the model's, borrowed, which
 * explainers of several threads then share. */
HST_CHECK hst_explainer *hst_explainer_new(const hst_ctx *ctx, const hst_model *m,
                                           const hst_extractor *maps, hst_err *err);
/* hst_explain_file whose messages do not name the file. */
HST_CHECK int hst_explainer_see(hst_explainer *x, const char *path, int label, hst_err *err);

const hst_model *hst_explainer_model(const hst_explainer *x);
/* How its photos are decoded, where `least` pixels along the shorter side are enough. */
hst_decode hst_explainer_decode(const hst_explainer *x, int least);
/* Of the last photo; NULL where there was none, or it could not be used. */
const hst_cam *hst_explainer_cam(const hst_explainer *x);
/* Of its file. */
const uint8_t *hst_explainer_bytes(const hst_explainer *x, size_t *n);
/* The map in another size, out[h][w], interpolated between the positions; its mean is the same.
 * Errors: HST_EMEM. */
HST_CHECK int hst_explainer_map(const hst_explainer *x, int w, int h, float *out, hst_err *err);
#endif
