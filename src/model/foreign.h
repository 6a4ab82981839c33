/* foreign.h - a model that another program has written: a network known here, and what its file
 * says of the layers behind it.
 *
 * The import helper says in the fact "classifier" what lies behind the features, a JSON list of
 * steps in their order, whose tensors are named as in the file:
 *
 *   {"op": "dense", "kernel": NAME, "bias": NAME, "transposed": true}   bias, transposed: if so
 *   {"op": "norm", "gamma": NAME, "beta": NAME, "mean": NAME, "variance": NAME, "epsilon": 0.001}
 *   {"op": "relu"}, "relu6", "hswish", "swish", "gelu"
 *   {"op": "softmax"}, {"op": "sigmoid"}                                the last
 *
 * or in "classifier_refused" why that is not known. Weights without a graph, as PyTorch keeps them,
 * have neither: there the classifier is found by its usual names. */
#ifndef HST_MODEL_FOREIGN_H
#define HST_MODEL_FOREIGN_H
#include "backbones/family.h"
#include "model/model.h"

/* What the last step makes of its numbers. */
enum hst_foreign_end { HST_ENDS_IN_LOGITS, HST_ENDS_IN_SOFTMAX, HST_ENDS_IN_SIGMOID };

/* The layers behind the features; what they point to is owned. */
typedef struct hst_classifier {
    hst_hidden layer[HST_MOST_HIDDEN + 1];
    int n;
    enum hst_foreign_end end;
} hst_classifier;
void hst_classifier_clear(hst_classifier *c);

/* What the file says of it. by_graph: its network is known by its graph alone, and so are the
 * features (formats/probe.h). HST_EMODEL: nothing, or what is not known here. (classifier.c) */
HST_CHECK int hst_classifier_read(const hst_tensors *t, const char *family, int by_graph,
                                  hst_classifier *out, hst_err *err);
/* Its one output, the logit of the second of two classes, as two. */
HST_CHECK int hst_classifier_make_two(hst_classifier *c, hst_err *err);

/* hst_model_load_with of a file or folder that is no model file. (foreign.c) */
HST_CHECK hst_model *hst_foreign_load(hst_ctx *ctx, const char *path, const hst_model_opts *o,
                                      hst_err *err);
#endif
