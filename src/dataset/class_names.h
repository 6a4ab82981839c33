/* class_names.h - names for lists whose labels are numbers, out of a file beside the list
 * (classes.txt, synset_words.txt, ...). */
#ifndef HST_DATASET_CLASS_NAMES_H
#define HST_DATASET_CLASS_NAMES_H
#include "dataset/list.h"

typedef struct hst_class_names {
    const char *file;  /* its path; NULL: labels are names already */
    const char **name; /* [n] in the arena; NULL: no line has that number */
    size_t n;
} hst_class_names;

/* Where all labels of the column are whole numbers and such a file lies beside the list. Its lines
 * are the names of 0, 1, ..., or of 1, 2, ... where the list has no 0 and as many classes as lines;
 * or begin with the numbers themselves. Errors: HST_EDATA (a number without a name), HST_EMEM. */
HST_CHECK int hst_class_names_find(hst_class_names *c, const hst_list *l, const hst_table *t,
                                   int column, hst_err *err);
/* The name of a label, itself where there is none. */
const char *hst_class_names_of(const hst_class_names *c, const char *label);
void hst_class_names_clear(hst_class_names *c);
#endif
