/* load.h - a model file read, and the parts of it that an exported model has as well. */
#ifndef HST_MODEL_LOAD_H
#define HST_MODEL_LOAD_H
#include "base/json.h"
#include "model/model.h"

/* The model in a file of ours. HST_EMODEL. */
HST_CHECK hst_model *hst_model_read(hst_ctx *ctx, const hst_tensors *t, hst_err *err);
/* The text under key; NULL and HST_EMODEL where there is none. */
const char *hst_read_meta(const hst_tensors *t, const char *key, hst_err *err);
HST_CHECK int hst_read_prepare(const json_t *o, hst_prep *out, hst_err *err);
HST_CHECK int hst_read_source(const json_t *o, hst_backbone *b, hst_err *err);
/* Whether pictures have the size that the network wants. */
HST_CHECK int hst_read_check_size(hst_size prepared, hst_size wanted, hst_err *err);
/* The model without its numbers; takes the extractor, also on failure. */
HST_CHECK hst_model *hst_read_shell(const hst_tensors *t, hst_extractor *e, hst_err *err);
/* out[product of dim[n_dims]] of the tensor: float32, finite. */
HST_CHECK int hst_read_head(const hst_tensors *t, const char *name, int n_dims, const int64_t *dim,
                            float *out, hst_err *err);
HST_CHECK int hst_read_record(const hst_tensors *t, hst_model *m, hst_err *err);
#endif
