/* compare.c - the graph that a converted file tells beside a family's own, operator by operator.
 *
 * Both are text, a line an operator (convert/weights.h has the grammar); batch norm and bias have
 * none, since a file may have drawn them into the convolution. */
#include "backbones/facts.h"
#include "backbones/family.h"
#include "base/buf.h"
#include "base/mem.h"
#include "formats/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Batch norm, by what it alone has: statistics. */
static int is_norm(const hst_graph *g, int node)
{
    size_t first, n = hst_graph_node_params(g, node, &first);
    int statistics = 0;
    for (size_t i = first; i < first + n; i++)
        statistics |= hst_graph_param(g, i)->statistic;
    return statistics;
}

/* Of the attributes those that the shape does not show; a bias belongs to what has no line. The
 * width of a square kernel is its height. */
static int is_told(const hst_attr_value *a)
{
    static const char *const left_out[] = {"height", "width", "channels", "bias"};
    int told = a->number != 0 || strcmp(a->name, "kernel_width") != 0;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        told &= strcmp(a->name, left_out[i]) != 0;
    return told;
}

/* Operator, inputs and attributes; number: the lines of the nodes. */
static void say_operator(hst_buf *b, const hst_graph *g, int node, const int *number)
{
    hst_attr_value a;
    hst_buf_puts(b, hst_graph_op_name(g, node));
    for (int i = 0; i < hst_graph_n_inputs(g, node); i++)
        hst_buf_printf(b, " %d", number[hst_graph_input_of(g, node, i)]);
    for (int i = 0; hst_graph_attr(g, node, i, &a); i++)
        if (is_told(&a) && a.word)
            hst_buf_printf(b, " %s=%s", a.name, a.word);
        else if (is_told(&a))
            hst_buf_printf(b, " %s=%.9g", a.name, a.number);
}

/* any: the file does not say how large its maps are. */
static void say_shape(hst_buf *b, hst_shape s, int any)
{
    if (any && (s.h > 1 || s.w > 1))
        hst_buf_printf(b, " -> ?x?x%d", s.c);
    else
        hst_buf_printf(b, " -> %dx%dx%d", s.h, s.w, s.c);
}

/* A place in the file's text. */
typedef struct reading {
    const char *line;
    size_t n; /* bytes of the line in front of its name */
    int number;
    int named; /* 1: name is its own, 0: that of the last one that had one */
    char name[64];
} reading;

static void read_line(reading *r)
{
    const size_t whole = strcspn(r->line, "\n");
    const char *arrow = strstr(r->line, " -> ");
    r->n = arrow && arrow < r->line + whole ? (size_t)(arrow - r->line) + 4 : 0;
    r->n += strcspn(r->line + r->n, " \n");
    r->named = r->n < whole;
    if (r->named) {
        const size_t len = whole - r->n - 1, most = sizeof r->name - 1;
        snprintf(r->name, sizeof r->name, "%.*s", (int)(len < most ? len : most),
                 r->line + r->n + 1);
    }
}

static int differs(const reading *r, const char *want, const hst_arch *a, hst_err *err)
{
    char where[96] = "", found[128];
    if (*r->name)
        snprintf(where, sizeof where, " (%s'%s')", r->named ? "" : "behind ", r->name);
    snprintf(found, sizeof found, "%.*s", (int)(r->n < 100 ? r->n : 100), r->line);
    return hst_fail(err, HST_EMODEL, "operator %d of its graph%s is '%s', but in %s it is '%s'",
                    r->number, where, *found ? found : "missing", a->family, want);
}

/* number[nodes]: of each node's line. */
static int compare(const char *text, const hst_arch *a, const hst_graph *g, int *number,
                   hst_err *err)
{
    reading r = {.line = text};
    const int any = strncmp(text, "input -> ?", 10) == 0;
    int rc = 0;
    for (int i = 0; rc == 0 && i < hst_graph_n_nodes(g); i++) {
        hst_buf line = HST_BUF(4096);
        if (is_norm(g, i)) {
            number[i] = number[hst_graph_input_of(g, i, 0)];
            continue;
        }
        read_line(&r);
        say_operator(&line, g, i, number);
        say_shape(&line, hst_graph_shape(g, i), any);
        rc = hst_buf_check(&line, err);
        if (rc == 0 && (r.n != line.n || memcmp(r.line, line.p, line.n) != 0))
            rc = differs(&r, line.p, a, err);
        hst_buf_free(&line);
        number[i] = r.number++;
        r.line += strcspn(r.line, "\n");
        r.line += *r.line == '\n';
    }
    return rc || !*r.line ? rc
                          : hst_fail(err, HST_EMODEL, "its graph goes on where %s ends", a->family);
}

int hst_facts_compare(const hst_tensors *t, const hst_arch *a, hst_err *err)
{
    const char *text = hst_tensors_meta(t, "graph");
    hst_arch as = *a;
    if (!hst_convert_is_current(t))
        return hst_fail(err, HST_EMODEL,
                        "the file was made by another headstart-convert: convert its source again");
    if (!text)
        return 0;
    int rc = hst_facts_read(t, &as, err);
    hst_graph *g = rc ? NULL : hst_arch_graph(&as, err);
    int *number = g ? hst_alloc((size_t)hst_graph_n_nodes(g), sizeof *number, err) : NULL;
    if (rc == 0)
        rc = number ? compare(text, &as, g, number, err) : err ? err->code : HST_EMODEL;
    free(number);
    hst_graph_free(g);
    return rc;
}
