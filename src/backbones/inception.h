/* inception.h - networks of blocks whose branches stand side by side: Inception v3 and
 * Inception-ResNet v2. */
#ifndef HST_BACKBONES_INCEPTION_H
#define HST_BACKBONES_INCEPTION_H
#include "backbones/cnn.h"

/* A convolution with its batch norm and ReLU, or a pooling, of a block. It reads what the row
 * before makes, unless it begins a branch, which reads the block's input, or forks, which reads
 * what the row before reads. What no row reads is put one behind the other. */
enum {
    HST_BEGINS = 1,
    HST_FORKS = 2,
    HST_REDUCES = 4, /* stride 2 and no padding */
    HST_VALID = 8,   /* no padding */
    HST_AVERAGE = 16,
    HST_LARGEST = 32
};
typedef struct hst_branch_row {
    int how;
    int kernel, wide; /* rows and columns */
    int out;          /* channels; 0: the block's own number of them */
    const char *torch, *slim;
} hst_branch_row;

/* times: what the block makes is, by one convolution more, brought to its input's channels, and
 * that, times this number, added to the input; 0: it is not. */
typedef struct hst_branches {
    const char *name; /* ours */
    const hst_branch_row *rows;
    int n_rows;
    int wide;    /* of rows that say none */
    int repeats; /* such blocks one behind the other, counted from 1; 0: one, without a number */
    double times;
    int linear; /* 1: no ReLU behind the sum */
    const char *torch, *slim;
} hst_branches;

typedef struct hst_inception {
    const char *family;
    const hst_branches *block; /* until rows is NULL; the first is the stem */
    int pool_counts; /* 1: the padding of averages counts where that of convolutions is PyTorch's */
} hst_inception;
extern const hst_inception hst_inception_nets[2];

/* The one that an architecture is; the block and the row that a layer is from, row NULL: the
 * convolution behind the branches. */
const hst_inception *hst_inception_of(const char *family);
const hst_branches *hst_inception_block(const hst_inception *n, const hst_layer *l,
                                        const hst_branch_row **row);
#endif
