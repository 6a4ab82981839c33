/* keras.h - a program as a functional model of Keras 3: a list of layers as its config.json has
 * them, and their variables. Only layers of Keras itself, so that nobody needs code to load it. */
#ifndef HST_EXPORTS_KERAS_H
#define HST_EXPORTS_KERAS_H
#include "base/mem.h"
#include "exports/export.h"
#include "exports/hdf5.h"

#include <jansson.h>

enum { HST_KERAS_NAME = 80 };

/* What a layer makes, of one image. */
typedef struct hst_keras_value {
    char layer[HST_KERAS_NAME], class[HST_H5_NAME]; /* class: "batch_normalization" */
    int rank, dim[3];
    int input[HST_MAX_INPUTS], n_inputs; /* the values that it is made of */
    int group;                           /* of the layer's variables; -1: it has none */
} hst_keras_value;

typedef struct hst_keras {
    const hst_exporting *x;
    json_t *layers; /* one a value */
    json_t *counts; /* how many of each class */
    json_t *names;  /* that are taken */
    hst_keras_value *value;
    size_t n, cap;
    int *made;  /* [steps] the value that a step makes; -1: the step is part of a later layer */
    int tokens; /* the last value of rank 2 */
    hst_h5 weights;
    hst_arena *arena; /* numbers in another order than the program's */
    hst_err *err;
} hst_keras;

/* A layer to be added. */
typedef struct hst_keras_layer {
    const char *class;
    const char *name; /* made unique; "": as Keras would call it */
    json_t *config;   /* ended; NULL: no memory */
    int n_inputs, input[HST_MAX_INPUTS];
    int each; /* 1: inputs are arguments of their own, not one list */
    int rank, dim[3];
} hst_keras_layer;

/* Both return a value's number, or an error. */
HST_CHECK int hst_keras_add(hst_keras *k, const hst_keras_layer *l);
/* A layer of one input. */
HST_CHECK int hst_keras_after(hst_keras *k, int x, hst_keras_layer l);
/* Once all are added: brings the layers into Keras' own order. */
HST_CHECK int hst_keras_order(hst_keras *k);
/* Variable i of the last layer, or, part not NULL, of that layer in it. p is borrowed. */
HST_CHECK int hst_keras_variable(hst_keras *k, const char *part, int i, const float *p, int n_dims,
                                 const int *dim);

static inline const hst_do_step *hst_keras_step(const hst_keras *k, int i)
{
    return &k->x->program->step[i];
}
/* The value that input i of the step is. */
static inline int hst_keras_input(const hst_keras *k, const hst_do_step *s, int i)
{
    return k->made[s->input[i]];
}
/* HST_EUNSUP: what cannot be written. */
int hst_keras_refuse(hst_keras *k, const char *what);
/* x behind the step's activation. */
HST_CHECK int hst_keras_finish(hst_keras *k, const hst_do_step *s, int x);

/* The same numbers in another shape; channels first .. first + n - 1 of all positions.
 * (keras_steps.c) */
HST_CHECK int hst_keras_shape(hst_keras *k, int x, const char *name, int rank, const int *dim);
HST_CHECK int hst_keras_channels(hst_keras *k, int x, const char *name, int first, int n);

/* MultiHeadAttention, ending with that dense step; whether step i is in such a layer, or that its
 * last. (keras_attention.c) */
HST_CHECK int hst_keras_attention(hst_keras *k, const hst_do_step *out);
int hst_keras_is_in_attention(const hst_keras *k, int i);
int hst_keras_ends_attention(const hst_keras *k, const hst_do_step *s);
/* Attention to what was turned, and the turning: of keras.ops and layers. (keras_turned.c) */
HST_CHECK int hst_keras_attention_alone(hst_keras *k, const hst_do_step *s);
HST_CHECK int hst_keras_turn(hst_keras *k, const hst_do_step *s);
/* All layers of k->x->program. HST_EUNSUP: one that Keras has no layer for. (keras_steps.c) */
HST_CHECK int hst_keras_steps(hst_keras *k);

/* Names. (keras_names.c) */
int hst_keras_ends_in(const char *name, const char *ending);
/* What belongs to a layer of that name without numbers of its own: "block1a_se_squeeze" to
 * "block1a_se_reduce"; "" where nothing does. */
void hst_keras_name_like(const char *name, char out[HST_KERAS_NAME]);
/* What adds is called by what it adds, "block_2_project_BN" -> "block_2_add"; an activation behind
 * it "block_2_out": `ending`. */
void hst_keras_name_sum(const hst_program *p, const hst_do_step *s, const char *ending,
                        char out[HST_KERAS_NAME]);
/* An activation is called by the layer before it, or by the convolution before that. */
void hst_keras_name_activation(const hst_program *p, const hst_do_step *s,
                               char out[HST_KERAS_NAME]);
#endif
