/* sharded.h - safetensors in several files, as Hugging Face's libraries split large networks. */
#ifndef CONVERT_SHARDED_H
#define CONVERT_SHARDED_H
#include "weights.h"

/* model.safetensors.index.json, {"weight_map": {tensor: file}}, and the files beside it.
 * HST_EMODEL: damaged; a file that is not beside it; a tensor that is not in its file. */
HST_CHECK int sharded_read(weights *w, hst_source *s, hst_err *err);
#endif
