/* network_head.c - the steps behind the average: a product with a matrix, a norm, an activation,
 * probabilities. They are told on the way and said as the fact "classifier". */
#include "network.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "%s", why);
}

/* One more step of x, which makes c numbers. */
static int new_step(network *n, int x, const net_step *s, int64_t c, hst_err *err)
{
    if (!n->value[x].vector || n->value[x].kind == NET_OTHER)
        return n->value[x].kind == NET_OTHER ? refuse(err, n->passed.msg)
                                             : refuse(err, "a classifier reads a whole map");
    if (n->n_steps == NET_MAX_STEPS || n->n_values == NET_MAX_VALUES || c < 1 || c > 65536)
        return refuse(err, "its classifier is too large");
    net_value v = n->value[x];
    v.kind = NET_STEP;
    v.x = x;
    v.y = -1;
    v.layer = n->n_steps;
    v.c = (int)c;
    v.same = n->n_values;
    n->step[n->n_steps++] = *s;
    n->value[n->n_values] = v;
    return n->n_values++;
}

int net_dense(network *n, int x, const net_step *s, hst_err *err)
{
    const hst_tensor *k = s->kernel;
    const int at = s->transposed ? 1 : 0; /* of the inputs among the dimensions */
    if (!k || k->n_dims != 2 || k->dim[at] != n->value[x].c ||
        (s->bias && hst_tensor_count(s->bias) != (size_t)k->dim[1 - at]))
        return refuse(err, "a product of its classifier is not of a constant matrix that fits");
    net_step dense = *s;
    dense.op = "dense";
    return new_step(n, x, &dense, k->dim[1 - at], err);
}

int net_softmax(network *n, int x, hst_err *err)
{
    return new_step(n, x, &(net_step){.op = "softmax"}, n->value[x].c, err);
}

int net_step_bias(network *n, int x, const hst_tensor *bias, hst_err *err)
{
    net_step *s = &n->step[n->value[x].layer];
    if (strcmp(s->op, "dense") != 0 || s->bias || hst_tensor_count(bias) != (size_t)n->value[x].c)
        return refuse(err, "numbers are added at an odd place of its classifier");
    s->bias = bias;
    return x;
}

int net_step_norm(network *n, int x, const hst_tensor *const of[4], double epsilon, hst_err *err)
{
    net_step s = {.op = "norm", .epsilon = epsilon};
    memcpy(s.norm, of, sizeof s.norm);
    for (int i = 0; i < 4; i++)
        if (hst_tensor_count(of[i]) != (size_t)n->value[x].c)
            return refuse(err, "a norm of its classifier does not fit");
    return new_step(n, x, &s, n->value[x].c, err);
}

/* ---- said ---- */

/* A convolution of one pixel is a product. */
static int say_conv(network *n, weights *w, json_t *step, const char *front, net_layer *l,
                    hst_err *err)
{
    float *k = NULL;
    hst_tensor t = {.dtype = HST_F32, .n_dims = 2, .dim = {l->in, l->out}};
    int rc = l->kernel == 1 && !l->depthwise ? 0 : refuse(err, "a convolution stands behind it");
    rc = rc ? rc : net_layer_folded(n, l, &k, err);
    t.data = k;
    t.n_bytes = (size_t)l->in * (size_t)l->out * sizeof *k;
    rc = rc ? rc : weights_add_to_step(w, step, front, "kernel", &t, err);
    t = (hst_tensor){.dtype = HST_F32, .n_dims = 1, .dim = {l->out}, .data = l->bias};
    t.n_bytes = (size_t)l->out * sizeof(float);
    return rc ? rc : weights_add_to_step(w, step, front, "bias", &t, err);
}

static int say_step(weights *w, json_t *step, const char *front, const net_step *s, hst_err *err)
{
    static const char *const parts[] = {"gamma", "beta", "mean", "variance"};
    int rc = s->kernel ? weights_add_to_step(w, step, front, "kernel", s->kernel, err) : 0;
    if (rc == 0 && s->bias)
        rc = weights_add_to_step(w, step, front, "bias", s->bias, err);
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = s->norm[i] ? weights_add_to_step(w, step, front, parts[i], s->norm[i], err) : 0;
    if (rc == 0 && ((s->transposed && json_object_set_new(step, "transposed", json_true())) ||
                    (s->norm[0] && json_object_set_new(step, "epsilon", json_real(s->epsilon)))))
        rc = hst_fail(err, HST_EMEM, "out of memory");
    return rc;
}

static int say_value(network *n, weights *w, json_t *steps, const net_value *v, hst_err *err)
{
    static const char *const acts[NET_N_ACTS] = {[NET_RELU] = "relu",
                                                 [NET_RELU6] = "relu6",
                                                 [NET_SIGMOID] = "sigmoid",
                                                 [NET_HSWISH] = "hswish",
                                                 [NET_SWISH] = "swish"};
    char front[32];
    snprintf(front, sizeof front, "classifier/%zu", json_array_size(steps));
    const char *op = v->kind == NET_STEP         ? n->step[v->layer].op
                     : v->kind == NET_ACTIVATION ? acts[v->act]
                     : v->kind == NET_CONV       ? "dense"
                                                 : NULL;
    if (!op)
        return refuse(err, "an operator in it is none of a classifier");
    json_t *step = json_pack("{s:s}", "op", op);
    if (json_array_append(steps, step)) {
        json_decref(step);
        return hst_fail(err, HST_EMEM, "out of memory");
    }
    int rc = v->kind == NET_STEP   ? say_step(w, step, front, &n->step[v->layer], err)
             : v->kind == NET_CONV ? say_conv(n, w, step, front, &n->layer[v->layer], err)
                                   : 0;
    json_decref(step);
    return rc;
}

/* The values from behind the average to the last, in their order; 0: they do not follow from it. */
static int find_way(const network *n, int output, int *way, int *length)
{
    int x = n->value[n->n_values - 1].same;
    *length = 0;
    for (; x >= 0 && x != output; x = n->value[x].x < 0 ? -1 : n->value[n->value[x].x].same) {
        if (*length == NET_MAX_STEPS || n->value[x].y >= 0)
            return 0;
        way[(*length)++] = x;
    }
    for (int i = 0; i < *length / 2; i++) {
        const int first = way[i];
        way[i] = way[*length - 1 - i];
        way[*length - 1 - i] = first;
    }
    return x == output;
}

static int say_way(network *n, weights *w, const int *way, int length, hst_err *err)
{
    json_t *steps = json_array();
    int rc = steps ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (int i = 0; rc == 0 && i < length; i++)
        rc = say_value(n, w, steps, &n->value[way[i]], err);
    rc = rc ? rc : weights_say_json(w, "classifier", steps, err);
    json_decref(steps);
    return rc;
}

int net_say_classifier(network *n, int output, weights *w, hst_err *err)
{
    int way[NET_MAX_STEPS], length = 0, rc = 0;
    hst_err why = {0};
    const net_value *last = &n->value[n->n_values - 1];
    if (n->value[output].kind != NET_AVERAGE || n->n_values - 1 == output)
        return 0; /* there is none */
    if (last->kind == NET_OTHER)
        rc = refuse(&why, n->passed.msg);
    else if (!find_way(n, output, way, &length))
        rc = refuse(&why, "its last operator does not follow from the average over the picture");
    else if (length)
        rc = say_way(n, w, way, length, &why);
    if (rc == HST_EMODEL)
        return weights_say(w, err, "classifier_refused", "%s", why.msg);
    return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
}
