/* hidden.h - the middle of an inverted residual, rows and channels of it at a time: what a 1x1
 * convolution expands, and the depthwise convolution over that. Between the two there is only
 *
 *   ring   [ring rows][w][n]   expanded rows that the depthwise kernel still reads, n channels of
 *                              them; input row r lies at r mod ring rows
 *
 * Padding is not stored: the depthwise kernel leaves out taps outside the image, as it does by
 * itself.
 *
 * Where products are of lower precision (low.h), the rows that the expansion reads are rounded once
 * for all channels, and so are the rows of the output, where the product behind reads them. */
#ifndef HST_NN_INFER_HIDDEN_H
#define HST_NN_INFER_HIDDEN_H
#include "nn/infer/low.h"

typedef struct hst_hidden {
    int expands; /* 0: the depthwise convolution reads the input */
    hst_infer_unit expand, depthwise;
    hst_conv conv;              /* of the depthwise convolution */
    hst_span rows;              /* of the same */
    int channels;               /* of all that is hidden */
    const hst_products *reader; /* that reads the output; NULL: in float32 */
    hst_quanta quanta;          /* of what it reads */
} hst_hidden;

/* Channels c .. c+n, which lie in one panel of packed weights unless c begins one. */
typedef struct hst_channels {
    int c, n;
} hst_channels;

/* Where a thread makes them. */
typedef struct hst_hidden_run {
    const hst_hidden *h;
    const hst_run_args *a;
    int ring_rows;
    float *ring;    /* of the channels at work */
    float *windows; /* of an expansion that is no 1x1: a row of them (hst_infer_conv2d_scratch) */
    char *low;      /* rounded input rows ... */
    int low_first;  /* ... from this one on */
    float *row;     /* [out w][n]: a row in front of its activation, or of its rounding */
    float *y;       /* [rows][out w][channels]: the depthwise convolution's output ... */
    int y_first;    /* ... from this row on */
    float *sum;     /* [channels]: what is made is added to it in the order of pixels; or NULL */
} hst_hidden_run;

/* Describes the expansion (NULL: none) and the depthwise convolution. */
void hst_hidden_describe(const hst_plan *p, const hst_unit *expand, const hst_unit *depthwise,
                         hst_hidden *h);

/* Rows first (returned) .. *end of the depthwise convolution's input that its output rows y .. y+n
 * need; how many rows are needed for any n. */
int hst_hidden_rows_under(const hst_hidden *h, int y, int n, int *end);
int hst_hidden_ring_rows(const hst_hidden *h, int n);

/* Floats between pixels of the output; bytes between them where they are rounded. */
size_t hst_hidden_step(const hst_hidden *h);
size_t hst_hidden_ld(const hst_hidden *h);

/* Whether the expansion reads rounded rows, and the floats that so many of them fill. */
int hst_hidden_rounds(const hst_hidden *h);
size_t hst_hidden_low(const hst_hidden *h, int rows);

/* Floats of windows and row, for steps of n channels. */
size_t hst_hidden_windows(const hst_hidden *h);
size_t hst_hidden_row(const hst_hidden *h, int n);

/* What the expansion reads for rows first .. end, rounded, into low. */
void hst_hidden_round(const hst_hidden_run *r, int first, int end);
/* Input rows first .. end of the depthwise convolution into the ring. */
void hst_hidden_expand(const hst_hidden_run *r, hst_channels s, int first, int end);
/* Output rows first .. first+n of the depthwise convolution into y. */
void hst_hidden_depthwise(const hst_hidden_run *r, hst_channels s, int first, int n);
#endif
