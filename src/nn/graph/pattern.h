/* pattern.h - which nodes belong together.
 *
 * A unit is a convolution with what can be done to its numbers before they are written:
 *
 *     convolution [-> batch norm] [-> + another value] [-> activation]
 *
 * where for batch norm any op may stand that is a scale and a shift for each channel (hst_op.fold).
 *
 * or those without a convolution, or any other single node. A group is one or more units one behind
 * the other. Both are ranges of consecutive nodes of which only the last is read from outside, so
 * whoever runs one is free in what it writes to memory in between. Patterns say which units make a
 * group; the planner asks for them where a device has a runner for them (plan/device.h). */
#ifndef HST_NN_PATTERN_H
#define HST_NN_PATTERN_H
#include "nn/op.h"

enum hst_unit_kind {
    HST_UNIT_CONV,        /* conv2d [norm] [add] [activation] */
    HST_UNIT_DEPTHWISE,   /* depthwise [norm] [activation] */
    HST_UNIT_GROUPED,     /* grouped [norm] [activation] */
    HST_UNIT_GROUPNORM,   /* groupnorm [activation] */
    HST_UNIT_ELEMENTWISE, /* [norm or affine] [add] [activation] */
    HST_UNIT_AVERAGE,     /* the global average by itself */
    HST_UNIT_SCALE,       /* channels times numbers (added) by itself */
    HST_UNIT_NODE         /* any op by itself */
};

enum hst_unit_part { HST_PART_CONV, HST_PART_NORM, HST_PART_ADD, HST_PART_ACT, HST_UNIT_PARTS };

typedef struct hst_unit {
    enum hst_unit_kind kind;
    int first, end;           /* nodes first .. end-1; the value it makes has number end-1 */
    int node[HST_UNIT_PARTS]; /* -1: it has no such part */
    int x, added;             /* values: what it reads, what is added; -1: none */
} hst_unit;

/* What patterns need to know of a graph: made once for all. */
typedef struct hst_readers {
    const hst_graph *graph;
    int *count; /* [nodes] nodes that read it, and 1 where the caller wants it */
} hst_readers;

enum { HST_MAX_UNITS = 7 };
typedef struct hst_pattern hst_pattern;
typedef struct hst_group {
    const hst_pattern *pattern;
    int first, end;
    hst_unit unit[HST_MAX_UNITS];
    int n_units;
} hst_group;

struct hst_pattern {
    const char *name;
    struct {
        unsigned kinds; /* 1 << hst_unit_kind, any of them; 0: the pattern ends */
        int optional;
        /* NULL, or whether u can stand behind `before` (NULL: it is the first). */
        int (*fits)(const hst_graph *g, const hst_unit *u, const hst_unit *before);
    } part[HST_MAX_UNITS];
};

extern const hst_pattern hst_pattern_unit, hst_pattern_elementwise, hst_pattern_node,
    hst_pattern_pooled, hst_pattern_inverted_residual, hst_pattern_squeezed_residual,
    hst_pattern_squeeze_excite, hst_pattern_conv_chain;

/* Whether the nodes from `first` on, before `limit`, are such a group: the longest there is. */
int hst_pattern_match(const hst_readers *r, const hst_pattern *p, int first, int limit,
                      hst_group *out);

/* The node of a part, NULL: it has none; the attributes of its convolution; its activation. */
const hst_node *hst_unit_node(const hst_graph *g, const hst_unit *u, enum hst_unit_part part);
const hst_conv *hst_unit_conv(const hst_graph *g, const hst_unit *u);
enum hst_act hst_unit_act(const hst_graph *g, const hst_unit *u);
/* Kernel 1, stride 1: a matrix product over pixels. */
int hst_unit_is_pointwise(const hst_graph *g, const hst_unit *u);
#endif
