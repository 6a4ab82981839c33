/* class_check.h - names of classes that cannot be kept, or that look like one. */
#ifndef HST_DATASET_CLASS_CHECK_H
#define HST_DATASET_CLASS_CHECK_H
#include "dataset/dataset.h"

/* Bytes of a name that are compared. */
#define HST_CLASS_KEY 256
/* A name without what is easily mistaken: small letters, no spaces or joiners, no accents, whether
 * these are part of a character or stand by themselves (Unicode's two forms). */
void hst_class_key(const char *name, char key[HST_CLASS_KEY]);

/* HST_EDATA where a class's name cannot be kept in a model's files: not UTF-8, or with a line break
 * in it. Names that differ in case or Unicode form only are logged. */
HST_CHECK int hst_class_names_check(const hst_ctx *ctx, const hst_data *d, hst_err *err);
#endif
