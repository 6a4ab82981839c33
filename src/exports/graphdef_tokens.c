/* graphdef_tokens.c - norms, attention and rotary positions in TensorFlow's words. */
#include "exports/graphdef_writer.h"

#include <string.h>

static const char *mean_over(hst_tf_writer *w, const char *name, const char *x, const char *axes)
{
    return hst_tf_node_add(w, "Mean", name, IN(x, axes), WITH(HST_TF_BOOL("keep_dims", 1)));
}

/* What a norm normalises over: the mean over the channels, [..., 1]; or of each group over all
 * pixels of a map, [batch][1][groups][1]: column by column first, as some runtimes add one number
 * after the other in float32, and a map has tens of thousands. */
static const char *norm_mean(hst_tf_writer *w, const hst_do_step *s, const char *name,
                             const char *x)
{
    if (s->what != HST_DO_GROUP_NORM)
        return mean_over(w, name, x, WHOLE(w, -1));
    x = mean_over(w, hst_tf_name(w->g, "%s/columns", name), x, WHOLE(w, 1));
    x = hst_tf_reshaped(w, hst_tf_name(w->g, "%s/groups", name), x,
                        WHOLE(w, -1, s->dim[1], s->groups, s->dim[2] / s->groups));
    return mean_over(w, name, x, WHOLE(w, 1, 3));
}

/* (x - mean) / sqrt(variance + epsilon) gamma + beta */
void hst_tf_norm(hst_tf_writer *w, int i, const char *to)
{
    static const char *const parts[] = {"mean",     "centred", "squared", "variance",
                                        "plus_eps", "rsqrt",   "normal",  "scaled",
                                        "groups",   "map",     "squares"};
    const hst_do_step *s = hst_tf_step(w, i);
    const int grouped = s->what == HST_DO_GROUP_NORM, groups = s->groups;
    const char *map = grouped ? WHOLE(w, -1, s->dim[0], s->dim[1], s->dim[2]) : NULL;
    const char *x = w->value[s->input[0]].name, *n[11];
    for (int k = 0; k < 11; k++)
        n[k] = hst_tf_name(w->g, "%s/%s", hst_tf_base(w, i), parts[k]);
    const char *mean = norm_mean(w, s, n[0], x);
    if (grouped)
        x = hst_tf_reshaped(w, n[8], x,
                            WHOLE(w, -1, s->dim[0] * s->dim[1], groups, s->dim[2] / groups));
    hst_tf_binary(w, "Sub", n[1], x, mean);
    const char *squared = hst_tf_binary(w, "Mul", n[2], n[1], n[1]);
    if (grouped)
        squared = hst_tf_reshaped(w, n[10], squared, map);
    const char *variance = norm_mean(w, s, n[3], squared);
    hst_tf_binary(w, "AddV2", n[4], variance, hst_tf_number(w->g, s->epsilon));
    hst_tf_unary(w, "Rsqrt", n[5], n[4]);
    const char *normal = hst_tf_binary(w, "Mul", n[6], n[1], n[5]);
    if (grouped)
        normal = hst_tf_reshaped(w, n[9], normal, map);
    hst_tf_binary(w, "Mul", n[7], normal, hst_tf_vector(w, i, "gamma", s->w));
    hst_tf_binary(w, "AddV2", to, n[7], hst_tf_vector(w, i, "beta", s->b));
}

/* x in n equal parts along its axis: the node, whose outputs they are. */
static const char *split(hst_tf_writer *w, const char *name, const char *x, int axis, int n)
{
    return hst_tf_node_add(w, "Split", name, IN(hst_tf_axis(w->g, axis), x),
                           WITH(HST_TF_INT("num_split", n)));
}

static const char *part_of(hst_tf_writer *w, const char *node, int i)
{
    return i ? hst_tf_name(w->g, "%s:%d", node, i) : node;
}

static const char *turned(hst_tf_writer *w, const char *name, const char *x)
{
    return hst_tf_node_add(w, "Transpose", name, IN(x, WHOLE(w, 0, 2, 1, 3)), NULL, 0);
}

/* [batch][n][c] of queries, keys or values as [batch][heads][n][c / heads]. */
static const char *heads(hst_tf_writer *w, int i, const char *what, const char *x, int n)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const char *base = hst_tf_base(w, i);
    const char *parts = hst_tf_reshaped(w, hst_tf_name(w->g, "%s/%s/heads", base, what), x,
                                        WHOLE(w, -1, n, s->heads, s->dim[1] / s->heads));
    return turned(w, hst_tf_name(w->g, "%s/%s/turned", base, what), parts);
}

/* Queries, keys and values [batch][n][c] each lie side by side; or keys and values do. */
void hst_tf_attention(hst_tf_writer *w, int i, const char *to)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const int cross = s->n_inputs == 2, last = s->input[s->n_inputs - 1];
    const int n = s->dim[0], of = hst_tf_step(w, last)->dim[0];
    const char *base = hst_tf_base(w, i), *name[6];
    static const char *const parts[] = {"parts", "scaled", "scores", "shares", "sum", "turned"};
    for (int k = 0; k < 6; k++)
        name[k] = hst_tf_name(w->g, "%s/%s", base, parts[k]);
    split(w, name[0], w->value[last].name, 2, 3 - cross);
    const char *query = cross ? w->value[s->input[0]].name : name[0];
    hst_tf_binary(w, "Mul", name[1], query, hst_tf_number(w->g, s->scale));
    const char *q = heads(w, i, "query", name[1], n);
    const char *k = heads(w, i, "key", part_of(w, name[0], 1 - cross), of);
    const char *v = heads(w, i, "value", part_of(w, name[0], 2 - cross), of);
    hst_tf_node_add(w, "BatchMatMulV2", name[2], IN(q, k), WITH(HST_TF_BOOL("adj_y", 1)));
    hst_tf_unary(w, "Softmax", name[3], name[2]);
    hst_tf_binary(w, "BatchMatMulV2", name[4], name[3], v);
    turned(w, name[5], name[4]);
    hst_tf_reshaped(w, to, name[5], WHOLE(w, -1, n, s->dim[1]));
}

/* x w + x' b, head by head: of x' every group is taken apart into halves, and put together the
 * other way round. */
void hst_tf_turn(hst_tf_writer *w, int i, const char *to)
{
    const hst_do_step *s = hst_tf_step(w, i);
    const int32_t n = s->dim[0], all = s->heads, d = s->dim[1] / all;
    const char *base = hst_tf_base(w, i), *name[8], *x = w->value[s->input[0]].name;
    static const char *const parts[] = {"groups", "halves", "swapped", "other",
                                        "heads",  "scaled", "crossed", "sum"};
    hst_tf_tensor same = {.n_dims = 4, .dim = {1, n, 1, d}, .data = s->w}, other = same;
    other.data = s->b;
    for (int k = 0; k < 8; k++)
        name[k] = hst_tf_name(w->g, "%s/%s", base, parts[k]);
    const char *shape = WHOLE(w, -1, n, all, d);
    hst_tf_reshaped(w, name[0], x, WHOLE(w, -1, n, s->dim[1] / s->group, s->group));
    split(w, name[1], name[0], 3, 2);
    hst_tf_node_add(w, "ConcatV2", name[2],
                    IN(part_of(w, name[1], 1), name[1], hst_tf_axis(w->g, 3)),
                    WITH(HST_TF_INT("N", 2)));
    hst_tf_reshaped(w, name[3], name[2], shape);
    hst_tf_reshaped(w, name[4], x, shape);
    hst_tf_binary(w, "Mul", name[5], name[4], hst_tf_constant(w, i, "same", &same));
    hst_tf_binary(w, "Mul", name[6], name[3], hst_tf_constant(w, i, "cross", &other));
    hst_tf_binary(w, "AddV2", name[7], name[5], name[6]);
    hst_tf_reshaped(w, to, name[7], WHOLE(w, -1, n, s->dim[1]));
}
