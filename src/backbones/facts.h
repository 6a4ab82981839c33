/* facts.h - what a converted file says of itself, as metadata (convert/weights.h lists the facts).
 */
#ifndef HST_BACKBONES_FACTS_H
#define HST_BACKBONES_FACTS_H
#include "backbones/arch.h"
#include "formats/safetensors.h"

/* Into *a what the file says: image size, normalisation, the fields of the family's kind.
 * HST_EMODEL: a number out of bounds. */
HST_CHECK int hst_facts_read(const hst_tensors *t, hst_arch *a, hst_err *err);
/* A number, if it is said. */
HST_CHECK int hst_fact_real(const hst_tensors *t, const char *key, double low, double high,
                            double *out, hst_err *err);
/* The same of a file that birder has written: the statistics of its pixels, and that photos are
 * stretched. HST_EMODEL: a setting that its tensors do not show and that is not known here.
 * (birder.c) */
HST_CHECK int hst_birder_read(const hst_tensors *t, hst_arch *a, hst_err *err);
/* HST_EMODEL: the file has the name of a network of birder's that is no plain vision transformer,
 * which its tensors do not tell. (birder.c) */
int hst_birder_check_name(const char *file, hst_err *err);
/* 1: the file says what its pixels are, and says it of red, green, blue. */
int hst_facts_say_norm(const hst_tensors *t);
/* The image size that a file's name tells as keras.applications' names do; else otherwise. */
hst_size hst_size_of_name(const char *name, hst_size otherwise);

/* Compares the graph that the file tells, if it does, with the family's own of that architecture,
 * as the file's facts have it. HST_EMODEL: the first operator that differs. (compare.c) */
HST_CHECK int hst_facts_compare(const hst_tensors *t, const hst_arch *a, hst_err *err);
#endif
