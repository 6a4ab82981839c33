#include "onnx_run.h"
#include "onnx_head.h"
#include "onnx_names.h"

#include <string.h>

/* ---- values ---- */

int onnx_array(onnx_run *r, const hst_tensor *t, ev_array *out, hst_err *err)
{
    int rc = ev_new(&r->e, t->n_dims, t->dim, out, err);
    const size_t n = rc ? 0 : ev_count(out);
    out->whole = t->dtype == HST_I64 || t->dtype == HST_I32 || t->dtype == HST_BOOL ||
                 t->dtype == HST_U8 || t->dtype == HST_I8;
    if (rc || !out->whole)
        return rc ? rc : hst_tensor_floats(t, out->own, err);
    for (size_t i = 0; i < n; i++)
        out->own[i] = t->dtype == HST_I64   ? (float)((const int64_t *)t->data)[i]
                      : t->dtype == HST_I32 ? (float)((const int32_t *)t->data)[i]
                      : t->dtype == HST_I8  ? (float)((const int8_t *)t->data)[i]
                                            : (float)((const uint8_t *)t->data)[i];
    return 0;
}

const hst_tensor *onnx_initializer(const onnx *o, bytes name)
{
    const int at = name.n ? names_get(&o->names, name) : -1;
    return at >= 0 && at < o->n_initializers && o->thing[at].is_tensor ? &o->thing[at].t : NULL;
}

/* Input i of the node: what was computed, or a constant. Weights are used where they lie. */
static int find_input(onnx_run *r, int i, hst_err *err)
{
    const bytes name = r->o->node.in[i];
    const int at = name.n ? names_get(&r->names, name) : -1;
    const hst_tensor *t = onnx_initializer(r->o, name);
    r->in[i] = (ev_array){0};
    if (!name.n)
        return 0;
    if (at >= 0 && r->value[at].x) {
        r->in[i] = r->value[at];
        r->in[i].own = NULL;
        return 0;
    }
    if (!t)
        return hst_fail(err, HST_EMODEL,
                        "its graph cannot be computed: '%.*s' is read before it is made",
                        name.n < 100 ? (int)name.n : 100, (const char *)name.p);
    if (t->dtype != HST_F32 || t->n_dims > EV_DIMS)
        return onnx_array(r, t, &r->in[i], err);
    r->in[i] = (ev_array){.n_dims = t->n_dims, .x = t->data};
    memcpy(r->in[i].dim, t->dim, sizeof r->in[i].dim);
    return 0;
}

static int new_name(onnx_run *r, bytes name, hst_err *err)
{
    if (r->n == r->cap)
        return onnx_refuse(err, "it has too many operators");
    return names_put(&r->names, name, r->n++, err);
}

static void read_once(onnx_run *r, bytes name)
{
    const int at = names_get(&r->names, name);
    if (at >= 0)
        r->readers[at]++;
}

/* ---- nodes ---- */

static void forget_inputs(onnx_run *r)
{
    const onnx_node *n = &r->o->node;
    for (int i = 0; i < n->n_in; i++) {
        const int at = n->in[i].n ? names_get(&r->names, n->in[i]) : -1;
        ev_free(&r->in[i]); /* of a constant that was widened */
        if (at >= 0 && --r->readers[at] == 0)
            ev_free(&r->value[at]);
    }
}

/* Of what the node gives; sizes do not depend on the picture either. */
static enum onnx_fixed fixed_of(const onnx_run *r)
{
    const onnx_node *n = &r->o->node;
    int named = 0;
    for (int i = 0; i < n->n_in && !pb_is(&n->op, "Shape"); i++) {
        const int at = n->in[i].n ? names_get(&r->names, n->in[i]) : -1;
        const hst_tensor *t = at < 0 ? onnx_initializer(r->o, n->in[i]) : NULL;
        if (at >= 0 && r->fixed[at] == ONNX_VARIES)
            return ONNX_VARIES;
        named |= at >= 0 ? r->fixed[at] == ONNX_FIXED_NAMED
                         : t && t->n_dims > 1 && onnx_has_own_name(r, t);
    }
    return named ? ONNX_FIXED_NAMED : ONNX_FIXED;
}

static int keep_outputs(onnx_run *r, hst_err *err)
{
    const onnx_node *n = &r->o->node;
    const enum onnx_fixed fixed = fixed_of(r);
    int rc = 0;
    for (int i = 0; i < ONNX_MAX_PORTS; i++) {
        const int at = i < n->n_out && n->out[i].n ? names_get(&r->names, n->out[i]) : -1;
        const int is_output = at >= 0 && r->readers[at] >= ONNX_IS_OUTPUT;
        if (at >= 0)
            r->fixed[at] = (char)fixed;
        if (rc == 0 && r->out[i].x && fixed == ONNX_VARIES)
            rc = answers_keep(&r->answers, r->o->w, &r->out[i], is_output, err);
        if (at >= 0 && r->readers[at])
            r->value[at] = r->out[i];
        else
            ev_free(&r->out[i]);
        r->out[i] = (ev_array){0};
    }
    return rc;
}

static int run_node(onnx_run *r, bytes m, hst_err *err)
{
    onnx_node *n = &r->o->node;
    int rc = onnx_read_node(n, m, err);
    for (int i = 0; i < ONNX_MAX_PORTS; i++)
        r->in[i] = r->out[i] = (ev_array){0};
    for (int i = 0; rc == 0 && i < n->n_in; i++)
        rc = find_input(r, i, err);
    rc = rc ? rc : onnx_compute(r, err);
    rc = rc ? rc : onnx_name_constants(r, err);
    rc = rc ? rc : onnx_head_note(r, err);
    const int kept = keep_outputs(r, err);
    forget_inputs(r);
    return rc ? rc : kept;
}

static int count_node(onnx_run *r, bytes m, hst_err *err)
{
    const onnx_node *n = &r->o->node;
    int rc = onnx_read_node(&r->o->node, m, err);
    for (int i = 0; rc == 0 && i < n->n_out; i++)
        rc = n->out[i].n ? new_name(r, n->out[i], err) : 0;
    for (int i = 0; rc == 0 && i < n->n_in; i++)
        if (n->in[i].n)
            read_once(r, n->in[i]);
    return rc;
}

static int mark_output(onnx_run *r, bytes info, hst_err *err)
{
    pb_field f;
    int rc;
    enum { INFO_NAME = 1 };
    while ((rc = pb_next(&info, &f, err)) == 1) {
        const int at = f.number == INFO_NAME && f.wire == PB_BYTES ? names_get(&r->names, f.b) : -1;
        if (at >= 0)
            r->readers[at] += ONNX_IS_OUTPUT;
    }
    return rc;
}

static int each(onnx_run *r, bytes graph, uint32_t number,
                int (*read)(onnx_run *r, bytes m, hst_err *err), hst_err *err)
{
    pb_field f;
    int rc;
    while ((rc = pb_next(&graph, &f, err)) == 1)
        if (f.number == number && f.wire == PB_BYTES) {
            rc = read(r, f.b, err);
            if (rc)
                return rc;
        }
    return rc;
}

/* ---- the picture ---- */

/* Of a file of ours pixels, which its graph scales; of others numbers as they are scaled. */
static int draw(onnx_run *r, hst_err *err)
{
    const int64_t size[] = {r->o->net.height, r->o->net.width};
    ev_array picture = {0};
    int rc = new_name(r, r->o->input, err);
    rc = rc ? rc : answers_draw(&r->e, r->o->w, size, !r->o->ours, &picture, err);
    if (rc == 0 && r->o->as_maps)
        rc = ev_transpose(&r->e, &picture, (const int[]){0, 3, 1, 2}, &r->value[0], err);
    else if (rc == 0)
        rc = ev_reshape(&r->e, &picture, 4, picture.dim, &r->value[0], err);
    ev_free(&picture);
    return rc;
}

/* ---- results ---- */

static int say_facts(const onnx_run *r, hst_err *err)
{
    const network *net = &r->o->net;
    int rc = 0;
    if (net->width && net->height)
        rc = weights_say_size(r->o->w, net->width, net->height, err);
    if (rc == 0 && r->heads > 0)
        rc = weights_say(r->o->w, err, "heads", "%d", r->heads);
    if (rc == 0 && r->epsilon > 0)
        rc = weights_say(r->o->w, err, "norm_epsilon", "%.7g", r->epsilon);
    if (rc == 0 && r->act)
        rc = weights_say(r->o->w, err, "activation", "%s", r->act);
    return rc;
}

static int prepare(onnx_run *r, size_t n_values, hst_err *err)
{
    hst_arena *arena = r->o->w->arena;
    r->e = answers_budget(r->o->s);
    r->cap = (int)n_values;
    r->value = hst_arena_alloc(arena, n_values, sizeof *r->value, err);
    r->readers = r->value ? hst_arena_alloc(arena, n_values, sizeof *r->readers, err) : NULL;
    r->fixed = r->readers ? hst_arena_alloc(arena, n_values, 1, err) : NULL;
    return r->fixed ? names_init(&r->names, n_values, arena, err) : HST_EMEM;
}

int onnx_run_graph(onnx *o, hst_err *err)
{
    enum { GRAPH_NODE = 1, GRAPH_OUTPUT = 12 };
    onnx_run *r = hst_arena_alloc(o->w->arena, 1, sizeof *r, err);
    if (!r)
        return HST_EMEM;
    r->o = o;
    int rc = prepare(r, (size_t)o->cap + 1, err);
    rc = rc ? rc : onnx_names_begin(r, err);
    rc = rc ? rc : draw(r, err);
    rc = rc ? rc : each(r, o->graph, GRAPH_NODE, count_node, err);
    rc = rc ? rc : each(r, o->graph, GRAPH_OUTPUT, mark_output, err);
    rc = rc ? rc : each(r, o->graph, GRAPH_NODE, run_node, err);
    for (int i = 0; i < r->n; i++)
        ev_free(&r->value[i]);
    rc = rc ? rc : onnx_add_constants(r, err);
    rc = rc ? rc : answers_add(&r->answers, o->w, err);
    rc = rc ? rc : onnx_head_say(r, err);
    return rc ? rc : say_facts(r, err);
}
