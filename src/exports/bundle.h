/* bundle.h - TensorFlow's checkpoint of variables, a TensorBundle: their numbers one behind the
 * other in variables.data-00000-of-00001, and in variables.index, a table of LevelDB's format,
 * where each lies. Both have check sums. convert/sstable.h draws the table.
 *
 * Sources: tensorflow/core/util/tensor_bundle/tensor_bundle.cc, core/protobuf/tensor_bundle.proto
 */
#ifndef HST_EXPORTS_BUNDLE_H
#define HST_EXPORTS_BUNDLE_H
#include "exports/graphdef.h"

/* The kernels among g's tensors, by their names, into a folder that is there. */
HST_CHECK int hst_bundle_write(const hst_tf *g, const char *folder, hst_err *err);
#endif
