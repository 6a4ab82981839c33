/* admit.h - whether a file among photos is one. */
#ifndef HST_DATASET_ADMIT_H
#define HST_DATASET_ADMIT_H
#include "dataset/tree.h"

/* Endings that Keras lists (webp 0), and .webp; any case. */
int hst_keras_lists(const char *name, int webp);

typedef struct hst_admission {
    int taken;
    enum hst_left why; /* where it is not taken */
    char what[64];     /* of what kind it is: ".heic (install libheif)", "without an ending" */
} hst_admission;

/* By the name alone: 1, it has the ending of a format that this build reads, and need not be looked
 * at: what is wrong with such a file is found when it is decoded. */
int hst_admit_by_name(const char *name);
/* By its first n bytes, of a file whose name does not say it; HST_TREE_NO_HEAD: it is not read. */
void hst_admit_by_head(const char *name, const uint8_t *head, size_t n, hst_admission *a);
/* File i of a tree, by name or head. */
void hst_admit(const hst_tree *t, size_t i, hst_admission *a);
#endif
