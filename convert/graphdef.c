#include "graphdef.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 20000, MAX_PORTS = GRAPHDEF_MAX_PORTS };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TensorFlow graph is refused: %s", why);
}

/* ---- attributes ---- */

const json_t *graphdef_attribute(const graphdef_node *n, const char *name)
{
    return json_object_get(json_object_get(n->json, "attr"), name);
}

/* base64 of a short text; 0: it is not. Some writers leave the text as it is. */
int graphdef_is_text(const json_t *s, const char *want)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = json_string_value(s);
    char coded[64];
    size_t n = strlen(want), out = 0;
    if (!text)
        return 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned char c[3] = {0};
        memcpy(c, want + i, n - i < 3 ? n - i : 3);
        unsigned v = (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2];
        for (int k = 0; k < 4; k++)
            coded[out++] = i + (size_t)k > n ? '=' : digits[v >> (18 - 6 * k) & 63];
    }
    coded[out] = 0;
    return strcmp(text, coded) == 0 || strcmp(text, want) == 0;
}

/* Whole numbers come as texts or numbers. */
int64_t graphdef_whole(const json_t *v)
{
    const char *text = json_string_value(v);
    if (!text)
        return json_is_integer(v) ? json_integer_value(v) : INT64_MIN;
    char *end;
    long long x = strtoll(text, &end, 10);
    return *text && !*end ? x : INT64_MIN;
}

/* The numbers of a list attribute; their count, -1 where it is none or too long. */
int graphdef_list(const graphdef_node *n, const char *name, int64_t *out, size_t most)
{
    const json_t *i = json_object_get(json_object_get(graphdef_attribute(n, name), "list"), "i");
    size_t count = json_array_size(i);
    if (count > most)
        return -1;
    for (size_t k = 0; k < count; k++)
        out[k] = graphdef_whole(json_array_get(i, k));
    return (int)count;
}

int graphdef_picture(const graphdef_node *n, int64_t size[4])
{
    const json_t *shape = json_object_get(graphdef_attribute(n, "shape"), "shape");
    const json_t *dims = json_object_get(shape, "dim");
    if (strcmp(n->op, "Placeholder") != 0 || json_array_size(dims) != 4)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        size[i] = graphdef_whole(json_object_get(json_array_get(dims, i), "size"));
        size[i] = size[i] == -1 ? 0 : size[i];
    }
    return 1;
}

/* ---- order ---- */

/* "name", "name:1" or "^name" (only to be computed before). */
static int find_input(const graphdef *g, const char *text, int *port)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    size_t n = text ? strlen(text) : 0;
    *port = 0;
    if (!text)
        return -1;
    if (colon && colon[1] >= '0' && colon[1] <= '9' && strlen(colon) <= 3) {
        *port = (int)strtol(colon + 1, NULL, 10);
        n = (size_t)(colon - text);
    }
    const size_t skip = *text == '^';
    return names_get(&g->names, (bytes){(const uint8_t *)text + skip, n - skip});
}

static int link_node(graphdef *g, graphdef_node *n, hst_arena *arena, hst_err *err)
{
    const json_t *inputs = json_object_get(n->json, "input");
    const size_t most = json_array_size(inputs);
    n->in = most > MAX_PORTS ? NULL : hst_arena_alloc(arena, most, sizeof *n->in, err);
    if (!n->in)
        return most > MAX_PORTS ? refuse(err, "a node has too many inputs") : HST_EMEM;
    for (size_t i = 0; i < most; i++) {
        const char *text = json_string_value(json_array_get(inputs, i));
        int port = 0, at = find_input(g, text, &port);
        if (at < 0 || port >= MAX_PORTS)
            return hst_fail(err, HST_EMODEL, "a node reads '%.200s', which is not there",
                            text ? text : "");
        if (*text == '^')
            continue;
        n->in[n->n_in++] = (graphdef_link){at, port};
    }
    return 0;
}

/* Visits everything that node number at needs, then it: depth first, without recursion. */
static int walk(graphdef *g, int at, graphdef_visit *visit, void *to, hst_err *err)
{
    size_t depth = 0;
    if (g->node[at].done)
        return 0;
    g->stack[depth++] = at;
    g->node[at].seen = 1;
    while (depth) {
        graphdef_node *n = &g->node[g->stack[depth - 1]];
        if (n->next_in < n->n_in) {
            int next = n->in[n->next_in++].node;
            if (g->node[next].seen && !g->node[next].done)
                return refuse(err, "it goes round in a circle");
            if (g->node[next].done)
                continue;
            g->node[next].seen = 1;
            g->stack[depth++] = next; /* each node once: at most n deep */
            continue;
        }
        int rc = visit(to, (int)(n - g->node), err);
        if (rc)
            return rc;
        n->done = 1;
        depth--;
    }
    return 0;
}

int graphdef_walk(graphdef *g, graphdef_visit *visit, void *to, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < g->n; i++) {
        g->node[i].next_in = 0;
        g->node[i].seen = g->node[i].done = 0;
    }
    for (size_t i = 0; rc == 0 && i < g->n; i++)
        rc = walk(g, (int)i, visit, to, err);
    return rc;
}

static int read_nodes(graphdef *g, const json_t *nodes, hst_err *err)
{
    for (; g->n < json_array_size(nodes); g->n++) {
        graphdef_node *n = &g->node[g->n];
        *n = (graphdef_node){.json = json_array_get(nodes, g->n)};
        n->name = json_string_value(json_object_get(n->json, "name"));
        n->op = json_string_value(json_object_get(n->json, "op"));
        if (!n->name || !n->op)
            return refuse(err, "a node has no name or no operator");
        bytes key = {(const uint8_t *)n->name, strlen(n->name)};
        int rc = names_put(&g->names, key, (int)g->n, err);
        if (rc)
            return rc;
    }
    return 0;
}

int graphdef_read(graphdef *g, const json_t *topology, hst_arena *arena, hst_err *err)
{
    const json_t *nodes = json_object_get(topology, "node");
    const size_t n = json_array_size(nodes);
    *g = (graphdef){0};
    if (n == 0 || n > MAX_NODES)
        return refuse(err, "it has no nodes, or too many");
    g->node = hst_arena_alloc(arena, n, sizeof *g->node, err);
    g->stack = g->node ? hst_arena_alloc(arena, n, sizeof *g->stack, err) : NULL;
    int rc = g->stack ? names_init(&g->names, n, arena, err) : HST_EMEM;
    rc = rc ? rc : read_nodes(g, nodes, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = link_node(g, &g->node[i], arena, err);
    return rc;
}
