/* pth.h - writing a state dict as torch.save() does: a zip archive whose members are stored, of a
 * pickle and a member for every tensor
 * (https://docs.pytorch.org/docs/stable/notes/serialization.html).
 *
 *   archive/data.pkl     protocol 2: collections.OrderedDict of torch._utils._rebuild_tensor_v2
 *   archive/byteorder    little
 *   archive/data/0 ...   numbers, 64 bytes aligned
 *   archive/version      3 */
#ifndef HST_EXPORTS_PTH_H
#define HST_EXPORTS_PTH_H
#include "formats/safetensors.h"

/* Types F32 and I64. about: texts that the state dict has as its attribute "headstart", a dict;
 * torch.load(weights_only=True) reads them too. The same input gives the same bytes. HST_EUNSUP:
 * more than 4 GiB. */
HST_CHECK int hst_pth_write(const char *path, const hst_tensor *t, size_t n,
                            const hst_meta_pair *about, size_t n_about, hst_err *err);
#endif
