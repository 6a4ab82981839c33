/* keras_run.h - the layers of a functional model that headstart has exported, computed on one
 * made-up picture. Values are channels last, as Keras has them. */
#ifndef CONVERT_KERAS_RUN_H
#define CONVERT_KERAS_RUN_H
#include "evaluate.h"
#include "keras.h"
#include "name_table.h"

#include <jansson.h>

enum { KERAS_MOST_INPUTS = 16 };

typedef struct keras_run {
    weights *w;
    evaluator e;
    names tensors; /* of w -> t */
    names layers;  /* -> value that a layer makes */
    ev_array *value;
    int *readers; /* [values] that still will read it */
    int n;
    /* of the layer being computed; inputs are borrowed */
    const json_t *layer;
    json_t *config;
    const ev_array *in[KERAS_MOST_INPUTS];
    int n_in;
    ev_array out;
} keras_run;

/* Fills r->out from r->in[] as the layer does. HST_EMODEL: a layer, or something of its
 * configuration, that is not known. (keras_compute.c) */
HST_CHECK int keras_compute(keras_run *r, hst_err *err);

/* A tensor of r->layer, or of a layer in it ("query_dense/kernel"). HST_EMODEL: it is not there. */
HST_CHECK int keras_part(const keras_run *r, const char *part, hst_tensor **out, hst_err *err);
/* HST_EMODEL: "'block_1_add' (Add) ", then why. */
HST_CHECK int keras_odd(const keras_run *r, const char *why, hst_err *err);

/* Attention with the products before and behind it. Makes matrices of its kernels.
 * (keras_attention.c) */
HST_CHECK int keras_attention(keras_run *r, int how, hst_err *err);
HST_CHECK int keras_einsum(keras_run *r, int how, hst_err *err);
/* A tensor as an array. */
HST_CHECK int keras_array(keras_run *r, const hst_tensor *t, ev_array *out, hst_err *err);
/* out = x m + b, of every row. m, b: [in][out], [out] or NULL. */
HST_CHECK int keras_product(keras_run *r, const ev_array *x, const hst_tensor *m,
                            const hst_tensor *b, ev_array *out, hst_err *err);
#endif
