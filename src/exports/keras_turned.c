/* keras_turned.c - attention with rotary positions, for which Keras has no layer: queries and keys
 * are turned by layers that do not learn, and what MultiHeadAttention does with them is two einsums
 * of keras.ops and a softmax. */
#include "exports/keras.h"

/* A layer of two values. */
static int of_two(hst_keras *k, hst_keras_layer l, int a, int b)
{
    if (a < 0 || b < 0) {
        json_decref(l.config);
        return a < 0 ? a : b;
    }
    l.n_inputs = 2;
    l.input[0] = a;
    l.input[1] = b;
    return hst_keras_add(k, &l);
}

/* ---- turning ---- */

/* x[rows][2][half] without its first or second column. */
static int column(hst_keras *k, int x, int which)
{
    const int *dim = x < 0 ? (const int[3]){0} : k->value[x].dim;
    return hst_keras_after(
        k, x,
        (hst_keras_layer){"Cropping2D", "",
                          json_pack("{s:[[ii][ii]]}", "cropping", 0, 0, which, !which), .rank = 3,
                          .dim = {dim[0], 1, dim[2]}});
}

/* x[n][heads][d] w[n][d] */
static int by_position(hst_keras *k, int x, const float *w)
{
    if (x < 0)
        return x;
    const int *dim = k->value[x].dim, by[2] = {dim[0], dim[2]};
    json_t *config = json_pack("{s:s, s:[iii], s:n, s:b}", "equation", "abcd,bd->abcd",
                               "output_shape", dim[0], dim[1], dim[2], "bias_axes", "trainable", 0);
    const int y = hst_keras_after(k, x, (hst_keras_layer){"EinsumDense", "", config});
    const int rc = y < 0 ? y : hst_keras_variable(k, NULL, 0, w, 2, by);
    return rc < 0 ? rc : y;
}

int hst_keras_turn(hst_keras *k, const hst_do_step *s)
{
    const int n = s->dim[0], c = s->dim[1], dim[3] = {n, s->heads, c / s->heads};
    const int pairs[3] = {n * c / s->group, 2, s->group / 2};
    const int x = hst_keras_shape(k, hst_keras_input(k, s, 0), "", 3, dim);
    const int halves = hst_keras_shape(k, x, "", 3, pairs);
    const int first = column(k, halves, 0), second = column(k, halves, 1);
    int other = of_two(k,
                       (hst_keras_layer){"Concatenate", "", json_pack("{s:i}", "axis", 2),
                                         .rank = 3, .dim = {pairs[0], 2, pairs[2]}},
                       second, first);
    other = hst_keras_shape(k, other, "", 3, dim);
    const int own = by_position(k, x, s->w), more = by_position(k, other, s->b);
    const int sum = of_two(
        k, (hst_keras_layer){"Add", "", json_object(), .rank = 3, .dim = {n, dim[1], dim[2]}}, own,
        more);
    return hst_keras_finish(k, s, hst_keras_shape(k, sum, s->name, 2, s->dim));
}

/* ---- attention ---- */

/* Channels of x from `first` on, as many as s has, of every head: [n][heads][d]. */
static int heads_of(hst_keras *k, int x, int first, const hst_do_step *s)
{
    const int c = s->dim[1], n = x < 0 ? 0 : k->value[x].dim[0];
    const int part = hst_keras_channels(k, x, "", first, c);
    return hst_keras_shape(k, part, "", 3, (const int[3]){n, s->heads, c / s->heads});
}

static json_t *subscripts(const char *of)
{
    return json_pack("{s:s}", "subscripts", of);
}

int hst_keras_attention_alone(hst_keras *k, const hst_do_step *s)
{
    const int from = hst_keras_input(k, s, 0), over = hst_keras_input(k, s, s->n_inputs - 1);
    const int c = s->dim[1], m = s->dim[0], n = k->value[over].dim[0];
    const int before = s->n_inputs == 1 ? c : 0; /* of over: the queries' channels */
    const int q = heads_of(k, from, 0, s), key = heads_of(k, over, before, s);
    const int value = heads_of(k, over, before + c, s);
    int x = of_two(k,
                   (hst_keras_layer){"Einsum", "", subscripts("abhd,achd->ahbc"), .each = 1,
                                     .rank = 3, .dim = {s->heads, m, n}},
                   q, key);
    x = hst_keras_after(
        k, x,
        (hst_keras_layer){"Rescaling", "",
                          json_pack("{s:f, s:f}", "scale", s->scale, "offset", 0.0)});
    x = hst_keras_after(
        k, x, (hst_keras_layer){"Activation", "", json_pack("{s:s}", "activation", "softmax")});
    x = of_two(k,
               (hst_keras_layer){"Einsum", "", subscripts("ahbc,achd->abhd"), .each = 1, .rank = 3,
                                 .dim = {m, s->heads, c / s->heads}},
               x, value);
    return hst_keras_finish(k, s, hst_keras_shape(k, x, s->name, 2, s->dim));
}
