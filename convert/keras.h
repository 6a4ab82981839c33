/* keras.h - what Keras saves: weights or whole models in HDF5, and archives around them.
 *
 * Keras 2 (.h5)            a group a layer; its attribute weight_names names the data sets in it:
 *                            /[model_weights/]Conv1/Conv1/kernel:0
 * Keras 3 (.weights.h5)    a group a layer, named by class and count; its variables are numbered:
 *                            /layers/conv2d_3/vars/0       attribute name of vars: the layer's name
 * Keras 3 (.keras)         zip of the latter and of config.json
 *
 * Tensors come out as "<layer>/<parameter>". Older files of Keras 3 have no attribute: there the
 * names come from config.json, by counting its layers as Keras did, or stay "conv2d_3". */
#ifndef CONVERT_KERAS_H
#define CONVERT_KERAS_H
#include "weights.h"

HST_CHECK int keras_read_h5(weights *w, hst_source *s, hst_err *err);
HST_CHECK int keras_read_archive(weights *w, hst_source *s, hst_err *err);

/* ---- for keras*.c alone ---- */

struct json_t;
struct h5;

/* JSON of bounded complexity, to be ended by json_decref(). NULL: err->code says why. */
HST_CHECK struct json_t *keras_parse(const char *text, size_t n, const char *what, hst_err *err);

/* What a model's configuration says: image size, epsilon, scaling, which may also be in its
 * weights, so that they are read before. NULL: nothing. HST_EMODEL: a layer that runs code of its
 * own, or several batch norms with different epsilons. */
HST_CHECK int keras_say_config(weights *w, const struct json_t *config, hst_err *err);
/* What lies behind the network in a configuration, of an input of that size (0: not known), as the
 * fact "classifier", or why that is not known. The weights are there before. (keras_head.c) */
HST_CHECK int keras_say_classifier(weights *w, const struct json_t *config, int width, int height,
                                   hst_err *err);
/* A layer's tensor: "normalization/mean", "sequential/normalization/mean". NULL: not there. */
const hst_tensor *keras_find(const weights *w, const char *layer, const char *part);
/* The scaling that a layer Normalization among weights without a configuration makes. */
HST_CHECK int keras_say_normalization(weights *w, hst_err *err);

/* Layers that have no name but their class and number: from none on, as in a new session. */
HST_CHECK int keras_count_from_none(weights *w, hst_err *err);

/* The layers of a configuration; NULL: it is no model. */
const struct json_t *keras_layers(const struct json_t *config);
const char *keras_text(const struct json_t *o, const char *key); /* "": not there */

/* The network that the layers of a configuration and the tensors added so far make, told in their
 * place (network.h). HST_EMODEL: a layer that such graphs have not; the tensors are still there.
 * (keras_graph.c) */
HST_CHECK int keras_graph(weights *w, const struct json_t *config, size_t file_bytes, hst_err *err);

/* The same layers computed on the picture of formats/probe.h, of which any that exports have are
 * known: adds what goes into the head and the head, and says that the tensors have our names.
 * (keras_run.c) */
HST_CHECK int keras_run_graph(weights *w, const struct json_t *config, size_t file_bytes,
                              hst_err *err);

/* Adds the variables of a file in Keras 3's layout. config: NULL, or the model's. */
HST_CHECK int keras3_add(weights *w, struct h5 *f, const struct json_t *config, hst_err *err);
#endif
