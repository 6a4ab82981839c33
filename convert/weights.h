/* weights.h - what a reader finds: named tensors, and facts about where they come from.
 *
 * A reader is one file, int xxx_read(weights *w, hst_source *s, hst_err *err), and one row of the
 * table in formats.c. It keeps each tensor's name and layout as its producer has them
 * ("Conv1/kernel" without ":0"; HWIO, HWC1): src/backbones knows who calls what how.
 *
 * Formats that hold a graph without names of layers (TFLite, ONNX, frozen graphs) number the
 * convolutions in order of execution, from 0, a fully connected layer behind them left out:
 *
 *   op<i>/kernel [H][W][I][O] or op<i>/depthwise_kernel [H][W][C][1], float32
 *   op<i>/bias [O] where batch norm is folded into them, else
 *   op<i>/gamma, /beta, /moving_mean, /moving_variance [O]
 *
 * and say in the fact "graph" what the tensors do not show: a line for each operator up to the
 * average over height and width that the features are. Line n, from 0, makes value n:
 *
 *   OPERATOR [INPUT...] [ATTRIBUTE=VALUE...] -> HEIGHTxWIDTHxCHANNELS [NAME]
 *
 *   input -> 224x224x3
 *   conv2d 0 kernel=3 stride=2 padding=same -> 112x112x32 stem/kernel
 *   activation 1 function=relu6 -> 112x112x32
 *   depthwise, max_pool: as conv2d      add X Y, scale MAP NUMBERS, global_average X
 *
 * Operators, attributes and their values have the names of src/nn. Bias and batch norm belong to
 * their convolution and have no line. Sizes are ? where the file's input may have any. NAME is what
 * the file calls a convolution's kernel, for messages. Lines stand in the order that
 * network_result.c describes, whatever that of the file. */
#ifndef CONVERT_WEIGHTS_H
#define CONVERT_WEIGHTS_H
#include "base/mem.h"
#include "formats/safetensors.h"
#include "formats/source.h"

enum { WEIGHTS_MAX_FACTS = 24 };

typedef struct weights {
    hst_tensor *t;
    size_t n, cap;
    hst_arena *arena; /* names and facts; readers may put data here too */
    hst_meta_pair fact[WEIGHTS_MAX_FACTS];
    size_t n_facts;
    int nested; /* a file of an archive or folder is read as if it were given alone */
    struct kept *kept;
} weights;

HST_CHECK int weights_begin(weights *w, hst_err *err);
void weights_end(weights *w); /* in every case, and before the source is closed */

/* Adds a tensor: the name is copied, data is not (it lives in the source, in the arena, or in what
 * weights_keep() was given). HST_EMODEL: more than 8 dimensions, or n_bytes is not what type and
 * shape say. */
HST_CHECK int weights_add(weights *w, const hst_tensor *t, hst_err *err);

/* Has end(thing) called by weights_end(); and at once when this fails. */
HST_CHECK int weights_keep(weights *w, void *thing, void (*end)(void *), hst_err *err);

/* Says a fact, which becomes metadata of the result; a key that was said keeps its first value.
 *
 *   source_format  "Keras 2 HDF5"                  always
 *   producer       "tf_keras 2.21.0"               where the file names it
 *   image_px       "224"                           these where the file says so (of an input that
 *                                                  is no square image_width_px and
 *                                                  image_height_px in its place);
 *   padding        "tf", "symmetric"               otherwise src/backbones takes what its
 *   bn_epsilon     "0.001"                         producer usually does
 *   scaling        "pm1", "01", "imagenet", "255"  of the input: -1..1, 0..1, ImageNet's mean and
 *                                                  deviation on 0..1, or left as 0..255
 *   mean, std      "127.5 127.5 127.5"             the same in numbers, of pixels in 0..255
 *   graph          see above
 *   classifier     what lies behind the features, or
 *   classifier_refused  why that is not known (src/model/foreign.h)
 *   classifier_computed  the same of a graph that was computed, beside the former
 *   scaling_assumed  the scaling is only what such files usually mean
 *   quantised      its own arithmetic is of whole numbers
 *   labels         a JSON list of the classes' names, and
 *   labels_of      where they are from, or
 *   labels_refused why a file that should have them has not
 *   preparation    how photos are brought to the size, as hst_features_compute calls it
 *   timm_config    config.json, as timm has it, of a file that has it inside
 *   exported, ...  of a model that headstart has exported (weights_say_model) */
HST_CHECK int weights_say(weights *w, hst_err *err, const char *key, const char *fmt, ...)
    HST_PRINTF(4, 5);

/* 1: a fact by that key was said. */
int weights_said(const weights *w, const char *key);

/* Says the size of the input in pixels, unless it was said. */
HST_CHECK int weights_say_size(weights *w, long long width, long long height, hst_err *err);

/* The same for a text of any length and more than one line, printable UTF-8. */
HST_CHECK int weights_say_text(weights *w, const char *key, const char *text, hst_err *err);

/* The same of a value of JSON. */
struct json_t;
HST_CHECK int weights_say_json(weights *w, const char *key, const struct json_t *v, hst_err *err);

/* Adds a tensor of one step of a classifier as FRONT/KEY; the step's member KEY says that name. */
HST_CHECK int weights_add_to_step(weights *w, struct json_t *step, const char *front,
                                  const char *key, const hst_tensor *t, hst_err *err);

/* Says what is known of the models of Teachable Machine: pixels in -1..1, of the middle of a photo
 * (its library crops on a canvas, then takes x / 127.5 - 1). */
HST_CHECK int weights_say_teachable(weights *w, hst_err *err);

/* Says the facts of a file that headstart itself has exported: the members of a JSON object of
 * texts, of which those are taken that such a file has (hst_model_facts of src/model). */
HST_CHECK int weights_say_model(weights *w, const char *json, size_t n, hst_err *err);

/* Puts the tensors in the order of the result: largest element first, then by name. */
void weights_sort(weights *w);
#endif
