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
/* 1: the file says what its pixels are, and says it of red, green, blue. */
int hst_facts_say_norm(const hst_tensors *t);
/* Compares the operators that such a file tells, where it does, with those of g, of a's family. */
HST_CHECK int hst_facts_check(const hst_tensors *t, const hst_arch *a, const hst_graph *g,
                              hst_err *err);
/* The image size that a file's name tells as keras.applications' names do; else otherwise. */
int hst_px_of_name(const char *name, int otherwise);
#endif
