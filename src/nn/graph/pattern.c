#include "nn/graph/pattern.h"

static const hst_node *node_at(const hst_readers *r, int i)
{
    return hst_graph_node(r->graph, i);
}

/* ---- units ---- */

/* What may stand behind each other, and which of it behind which head. */
static int is_part(const hst_node *n, int part)
{
    return part == HST_PART_NORM  ? n->op->fold != NULL
           : part == HST_PART_ADD ? n->op == &hst_op_add
                                  : n->op == &hst_op_activation;
}
enum { NORM = 1 << HST_PART_NORM, ADD = 1 << HST_PART_ADD, ACT = 1 << HST_PART_ACT };
static const struct {
    enum hst_unit_kind kind;
    const hst_op *head; /* NULL: it begins with a follower */
    int may_follow;
} rules[] = {{HST_UNIT_CONV, &hst_op_conv2d, NORM | ADD | ACT},
             {HST_UNIT_CONV, &hst_op_standardised, NORM | ADD | ACT},
             {HST_UNIT_GROUPNORM, &hst_op_groupnorm, ACT},
             {HST_UNIT_DEPTHWISE, &hst_op_depthwise, NORM | ACT}, /* its kernel adds nothing */
             {HST_UNIT_GROUPED, &hst_op_grouped, NORM | ACT},     /* the same */
             {HST_UNIT_ELEMENTWISE, NULL, NORM | ADD | ACT},
             {HST_UNIT_AVERAGE, &hst_op_global_average, 0},
             {HST_UNIT_SCALE, &hst_op_scale, 0}};

/* Takes node u->end into the unit as the given part where it is that, and where it alone reads what
 * the unit makes so far. */
static void follow(const hst_readers *r, hst_unit *u, int part, int limit)
{
    const hst_node *n = u->end < limit ? node_at(r, u->end) : NULL;
    const int begins = u->end == u->first, value = u->end - 1;
    if (!n || !is_part(n, part))
        return;
    const int second = !begins && n->input[1] == value;
    if (!begins && (r->count[value] != 1 || (n->input[0] != value && !second)))
        return;
    if (begins)
        u->x = n->input[0];
    if (part == HST_PART_ADD)
        u->added = n->input[second ? 0 : 1];
    u->node[part] = u->end++;
}

static hst_unit single(const hst_readers *r, int at)
{
    const int *x = node_at(r, at)->input;
    return (hst_unit){HST_UNIT_NODE, at, at + 1, {-1, -1, -1, -1}, x[0], x[1]};
}

/* The unit that begins at node `at`. */
static hst_unit unit_at(const hst_readers *r, int at, int limit)
{
    const hst_node *n = node_at(r, at);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        hst_unit u = {rules[i].kind, at, at, {-1, -1, -1, -1}, -1, -1};
        if (rules[i].head && n->op != rules[i].head)
            continue;
        if (rules[i].head) {
            u.x = n->input[0];
            u.added = n->input[1];
            u.node[HST_PART_CONV] = u.end++;
        }
        for (int part = HST_PART_NORM; part < HST_UNIT_PARTS; part++)
            if (rules[i].may_follow & 1 << part)
                follow(r, &u, part, limit);
        if (u.end > at)
            return u;
    }
    return single(r, at);
}

const hst_node *hst_unit_node(const hst_graph *g, const hst_unit *u, enum hst_unit_part part)
{
    return u->node[part] < 0 ? NULL : hst_graph_node(g, u->node[part]);
}

const hst_conv *hst_unit_conv(const hst_graph *g, const hst_unit *u)
{
    return hst_node_conv(hst_graph_node(g, u->node[HST_PART_CONV]));
}

enum hst_act hst_unit_act(const hst_graph *g, const hst_unit *u)
{
    const hst_node *n = hst_unit_node(g, u, HST_PART_ACT);
    return n ? hst_node_act(n) : HST_ACT_NONE;
}

int hst_unit_is_pointwise(const hst_graph *g, const hst_unit *u)
{
    return u->kind == HST_UNIT_CONV && hst_conv_is_pointwise(hst_unit_conv(g, u));
}

/* ---- patterns ---- */

static int adds_nothing(const hst_graph *g, const hst_unit *u, const hst_unit *before)
{
    (void)g;
    (void)before;
    return u->added < 0;
}

static int is_pointwise(const hst_graph *g, const hst_unit *u, const hst_unit *before)
{
    (void)before;
    return hst_unit_is_pointwise(g, u);
}

static int is_plain_pointwise(const hst_graph *g, const hst_unit *u, const hst_unit *before)
{
    return is_pointwise(g, u, before) && u->added < 0;
}

/* Its input can be made again from the convolution before, pixel by pixel or row by row. */
static int goes_on(const hst_graph *g, const hst_unit *u, const hst_unit *before)
{
    return before->added < 0 && before->node[HST_PART_ACT] >= 0 &&
           (u->kind == HST_UNIT_DEPTHWISE || hst_unit_is_pointwise(g, u));
}

enum {
    CONV = 1 << HST_UNIT_CONV,
    DEPTHWISE = 1 << HST_UNIT_DEPTHWISE,
    GROUPED = 1 << HST_UNIT_GROUPED,
    GROUPNORM = 1 << HST_UNIT_GROUPNORM,
    NODE = 1 << HST_UNIT_NODE
};
const hst_pattern hst_pattern_unit = {"convolution",
                                      {{CONV | DEPTHWISE | GROUPED | GROUPNORM, 0, NULL}}};
const hst_pattern hst_pattern_elementwise = {"elementwise", {{1 << HST_UNIT_ELEMENTWISE, 0, NULL}}};
const hst_pattern hst_pattern_node = {"node", {{NODE, 0, NULL}}};
const hst_pattern hst_pattern_pooled = {
    "1x1 and average", {{CONV, 0, is_plain_pointwise}, {1 << HST_UNIT_AVERAGE, 0, NULL}}};
/* Hu et al. 2018 (arXiv 1709.01507): the averages, two layers on them, their product with what was
 * averaged. */
const hst_pattern hst_pattern_squeeze_excite = {"squeeze and excite",
                                                {{1 << HST_UNIT_AVERAGE, 0, NULL},
                                                 {CONV, 0, is_plain_pointwise},
                                                 {CONV, 0, is_plain_pointwise},
                                                 {1 << HST_UNIT_SCALE, 0, NULL}}};
/* Sandler et al. 2018 (arXiv 1801.04381): expansion, depthwise, projection [+ input]. */
const hst_pattern hst_pattern_inverted_residual = {
    "inverted residual", {{CONV, 1, adds_nothing}, {DEPTHWISE, 0, NULL}, {CONV, 0, is_pointwise}}};
/* Both: squeeze and excite in front of the projection. */
const hst_pattern hst_pattern_squeezed_residual = {"squeezed inverted residual",
                                                   {{CONV, 1, adds_nothing},
                                                    {DEPTHWISE, 0, NULL},
                                                    {1 << HST_UNIT_AVERAGE, 0, NULL},
                                                    {CONV, 0, is_plain_pointwise},
                                                    {CONV, 0, is_plain_pointwise},
                                                    {1 << HST_UNIT_SCALE, 0, NULL},
                                                    {CONV, 0, is_pointwise}}};
const hst_pattern hst_pattern_conv_chain = {"chain of convolutions",
                                            {{CONV | DEPTHWISE, 0, NULL},
                                             {CONV | DEPTHWISE, 1, goes_on},
                                             {CONV | DEPTHWISE, 1, goes_on},
                                             {CONV | DEPTHWISE, 1, goes_on}}};

static int has_scale(const hst_pattern *p)
{
    int n = 0;
    for (int i = 0; i < HST_MAX_UNITS; i++)
        n += (p->part[i].kinds & 1 << HST_UNIT_SCALE) != 0;
    return n;
}

/* What the group's average is of; -1: it has none. */
static int averaged(const hst_group *g)
{
    for (int i = 0; i < g->n_units; i++)
        if (g->unit[i].kind == HST_UNIT_AVERAGE)
            return g->unit[i].x;
    return -1;
}

/* u reads what the group makes so far, and alone does. A product does so by its second input; its
 * first is what was averaged, which therefore has two readers. */
static int continues(const hst_readers *r, const hst_group *g, const hst_unit *u)
{
    const int value = g->end - 1;
    if (g->n_units == 0)
        return 1;
    if (u->kind == HST_UNIT_SCALE)
        return r->count[value] == 1 && u->added == value && u->x == averaged(g);
    if (u->kind == HST_UNIT_AVERAGE && has_scale(g->pattern))
        return r->count[value] == 2 && u->x == value;
    return r->count[value] == 1 && u->x == value;
}

int hst_pattern_match(const hst_readers *r, const hst_pattern *p, int first, int limit,
                      hst_group *out)
{
    hst_group g = {.pattern = p, .first = first, .end = first};
    for (int i = 0; i < HST_MAX_UNITS && p->part[i].kinds; i++) {
        hst_unit u = {.end = 0};
        int fits = g.end < limit;
        if (fits) {
            u = p->part[i].kinds == NODE ? single(r, g.end) : unit_at(r, g.end, limit);
            fits = p->part[i].kinds >> u.kind & 1 && continues(r, &g, &u) &&
                   (!p->part[i].fits ||
                    p->part[i].fits(r->graph, &u, g.n_units ? &g.unit[g.n_units - 1] : NULL));
        }
        if (!fits && !p->part[i].optional)
            return 0;
        if (!fits)
            continue;
        g.end = u.end;
        g.unit[g.n_units++] = u;
    }
    *out = g;
    return 1;
}
