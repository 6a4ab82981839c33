/* named.h - a network's parameters as tensors by the names that a dialect has for them: what the
 * import reads (params.h), told backwards. */
#ifndef HST_BACKBONES_NAMED_H
#define HST_BACKBONES_NAMED_H
#include "backbones/family.h"

typedef struct hst_named {
    hst_tensor *tensor; /* names and data are its own */
    size_t n, cap;
} hst_named;

/* Adds the tensors of g, a network of arch a, as files of that dialect of its family have them,
 * prefix in front of every name, and what such files have beside: counters of batches, which are 0.
 * Batch norms stay what they are. Errors: HST_EUNSUP (the family has no such dialect; a table of
 * positions that is no square's), HST_EMEM. */
HST_CHECK int hst_named_make(const hst_arch *a, const hst_graph *g, const char *dialect,
                             const char *prefix, hst_named *out, hst_err *err);
void hst_named_free(hst_named *l);

/* Adds one of zeros and returns it, until the next is added; NULL and HST_EMEM. */
HST_CHECK hst_tensor *hst_named_add(hst_named *l, const char *name, enum hst_dtype dtype,
                                    int n_dims, const int64_t *dim, hst_err *err);
/* NULL: there is none. */
hst_tensor *hst_named_find(const hst_named *l, const char *name);
/* Its numbers, of a tensor of HST_F32. */
float *hst_named_numbers(const hst_tensor *t);
/* Takes it away, where it is there. */
void hst_named_remove(hst_named *l, const char *name);
/* Where norms over batches have the epsilon `to` in place of `from`: their gammas become such that
 * they compute the same. */
void hst_named_change_epsilon(hst_named *l, double from, double to);
#endif
