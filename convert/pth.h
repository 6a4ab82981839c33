/* pth.h - PyTorch's .pth: the tensors of a state_dict, as torch.save() wrote them.
 *
 * Since PyTorch 1.6 a zip archive:          Before (and still on request):
 *   <stem>/data.pkl   the dictionary          pickle  the magic number
 *   <stem>/data/<key> one storage each        pickle  1001, the protocol
 *   <stem>/byteorder  "little"                pickle  {"little_endian": True, ...}
 *                                             pickle  the dictionary
 *                                             pickle  [key, ...]
 *                                             for each key: i64 elements | the storage
 * In the dictionary a tensor is the call torch._utils._rebuild_tensor_v2(storage, offset, size,
 * stride, ...) and a storage the persistent id ("storage", torch.FloatStorage, key, device,
 * elements). Source: torch/serialization.py. */
#ifndef CONVERT_PTH_H
#define CONVERT_PTH_H
#include "weights.h"

/* *is: whether the zip archive is PyTorch's (there is a data.pkl). HST_EMODEL: it is damaged. */
HST_CHECK int pth_is_zip(const hst_source_file *f, int *is, hst_err *err);

/* The file in either layout. HST_EMODEL: anything but plain tensors. */
HST_CHECK int pth_read_zip(weights *w, hst_source *s, hst_err *err);
HST_CHECK int pth_read_legacy(weights *w, hst_source *s, hst_err *err);
#endif
