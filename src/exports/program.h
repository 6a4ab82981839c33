/* program.h - a network as a list of simple steps, made once from a model for all formats that have
 * words of their own for such: norms are drawn into the convolutions as inference does it (or stay,
 * where the format is for learning on), nodes that nothing reads are left out, the pixels' scaling
 * is in front and the head behind.
 *
 * A step makes one value, whose number is its own. Values are of one image: a picture [h][w][c],
 * tokens [n][c] or a vector [c], outermost dimension first, float32 but for the input. How a format
 * lays them out is its own affair. */
#ifndef HST_EXPORTS_PROGRAM_H
#define HST_EXPORTS_PROGRAM_H
#include "nn/op.h"

enum hst_do {
    HST_DO_INPUT,        /* a picture, pixels 0..255 */
    HST_DO_CONST,        /* w, the same for every image */
    HST_DO_CONV,         /* window; w[kh][kw][in / groups][out], b[out] */
    HST_DO_DEPTHWISE,    /* window; w[kh][kw][c], b[c] */
    HST_DO_DENSE,        /* every vector or token: w[in][out], b[out] */
    HST_DO_AFFINE,       /* channel by channel: x w[c] + b[c] */
    HST_DO_BATCH_NORM,   /* w: gamma[c], beta[c], mean[c], variance[c]; epsilon (keeps_norms) */
    HST_DO_ADD,          /* two values of one shape */
    HST_DO_MULTIPLY,     /* the same, or the second a vector: one number a channel */
    HST_DO_ACTIVATE,     /* act alone */
    HST_DO_PAD,          /* zeros around a picture: window's sides */
    HST_DO_MAX_POOL,     /* window; what is outside counts as -infinity */
    HST_DO_AVERAGE_POOL, /* window; what is outside does not count */
    HST_DO_MEAN,         /* over all pixels or tokens: a vector */
    HST_DO_LAYER_NORM,   /* over the channels; w[c], b[c], epsilon */
    HST_DO_GROUP_NORM,   /* of a picture, over each of `groups` runs of channels; the same */
    HST_DO_ATTENTION, /* of tokens [n][3 c]: each one's query, key, value; or of [m][c] queries and
                          [n][2 c] keys and values. For every head, c / heads channels wide,
                          softmax(scale q k') v -> [m][c] */
    HST_DO_TURN,   /* of tokens [n][heads][d]: x w + x' b, where x' has the halves of every `group`
                    channels in each other's place; w[n][d], b[n][d] */
    HST_DO_CONCAT, /* along axis */
    HST_DO_SLICE,  /* from `begin` on along axis, as much as the type says */
    HST_DO_SHAPE,  /* the same numbers in another shape: pixels as tokens, one token as vector */
    HST_DO_SOFTMAX /* over the channels */
};
enum { HST_DOS = HST_DO_SOFTMAX + 1 };
/* "convolution": for messages. */
extern const char *const hst_do_names[HST_DOS];

typedef struct hst_do_window {
    int kernel_h, kernel_w, stride_h, stride_w;
    int top, left, bottom, right; /* zeros around the input */
} hst_do_window;

typedef struct hst_do_step {
    enum hst_do what;
    int input[HST_MAX_INPUTS], n_inputs; /* earlier steps */
    int rank, dim[3];                    /* of its value */
    enum hst_act act;                    /* done to the result, behind everything else */
    char name[64];                       /* of the layer, as the model file has it; "": none */
    hst_do_window window;
    int groups;   /* of a convolution or a group norm; else 0 */
    float *w, *b; /* owned; NULL: the step has none */
    size_t n_w, n_b;
    double epsilon, scale;
    int heads, group, axis, begin;
    int readers; /* steps that read it; of the result 1 more */
    /* Nodes of the graph that make the same: its value, and what is before its activation; 0: none
     * does. */
    int node, bare_node;
} hst_do_step;

typedef struct hst_program {
    hst_do_step *step;
    int n, cap;
    int features; /* the value that the head reads; the last step makes the result */
    /* 1: batch norms stay as they were learned, and so do scales; biases that are none are NULL */
    int keeps_norms;
} hst_program;

void hst_program_free(hst_program *p);
/* Appends a step and returns its number, or HST_EMEM. Its inputs end with the first -1; weights
 * are copied; its type is that of the first input, unless `like` has a rank. */
HST_CHECK int hst_program_add(hst_program *p, const hst_do_step *like, hst_err *err);
size_t hst_do_floats(const hst_do_step *s); /* of its value */
int hst_do_channels(const hst_do_step *s);
/* Positions: pixels, tokens, 1. */
size_t hst_do_positions(const hst_do_step *s);
int hst_do_pads_nothing(const hst_do_window *k);
/* The window of step `out`, which reads `in`, pads as TensorFlow's SAME does. */
int hst_do_pads_same(const hst_do_step *in, const hst_do_step *out);
/* What the means of step `out`, a pooling of `in`, are multiplied by where they count the zeros
 * around the picture: x[h][w] of out. */
void hst_do_corrections(const hst_do_step *in, const hst_do_step *out, float *x);
/* Numbers of all steps' weights. */
size_t hst_program_params(const hst_program *p);
/* Lowers the nodes of g behind value x of p, which its input becomes, and returns the number of its
 * last node's value. HST_EMODEL: an op that cannot be exported, by name. (lower.c) */
HST_CHECK int hst_program_lower(hst_program *p, const hst_graph *g, int x, hst_err *err);
#endif
