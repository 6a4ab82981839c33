/* class_numbers.h - a number of each class out of a CSV file. */
#ifndef HST_TRAINING_CLASS_NUMBERS_H
#define HST_TRAINING_CLASS_NUMBERS_H
#include "dataset/dataset.h"

typedef struct hst_class_numbers {
    const char *what;    /* "share", in messages */
    const char *choices; /* what may be given in place of the file, where it cannot be read */
} hst_class_numbers;

/* value[d->n_classes] of a file with a line label,number for each class; a first line of other
 * words is a header. Errors: HST_EARG (no such file, a class that is missing, unknown or there
 * twice, a number that is none, or not above 0), HST_EIO, HST_EMEM. */
HST_CHECK int hst_class_numbers_read(const char *path, const hst_class_numbers *words,
                                     const hst_data *d, double *value, hst_err *err);
#endif
