/* voc.h - Pascal VOC's lists for classification: ImageSets/Main/CLASS_train.txt and so on, of lines
 * "id flag" with 1 (it shows the class), 0 (it does, hard to see) or -1. */
#ifndef HST_DATASET_VOC_H
#define HST_DATASET_VOC_H
#include "dataset/list.h"

/* *is: 0, the tree has no such lists, and nothing was added. Photos are in JPEGImages beside
 * ImageSets. Where there are lists of train and val, those of trainval, which say the same, are not
 * read. Errors: HST_EDATA, HST_EMEM. */
HST_CHECK int hst_list_voc(hst_list *l, const hst_tree *tree, int *is, hst_err *err);
#endif
