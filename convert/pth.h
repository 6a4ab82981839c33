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
#include "base/mem.h"
#include "formats/safetensors.h"
#include "pickle.h"
#include "zip.h"

typedef struct pth {
    hst_named *t; /* contiguous tensors, largest element first, then by name */
    size_t n;
    /* what they live in */
    hst_arena *arena;
    pickle object;
    zip archive;
    uint8_t *block;
    size_t block_bytes;
    struct storage *storage; /* sorted by key */
    size_t n_storages;
} pth;

/* The file at fd, in either layout. HST_EMODEL: anything but plain tensors. pth_free() in every
 * case. */
HST_CHECK int pth_read_zip(pth *p, int fd, hst_err *err);
HST_CHECK int pth_read_legacy(pth *p, int fd, hst_err *err);
void pth_free(pth *p);
#endif
