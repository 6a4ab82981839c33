#include "fuzz.h"

#include "formats/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char digest[65];
    hst_err err = {0};
    hst_tensors *t = hst_tensors_parse(bytes, n, &err);
    if (!t)
        return 0;
    if (hst_tensors_digest_of(t, NULL, digest, &err))
        abort();
    for (size_t i = 0; i < hst_tensors_count(t); i++) {
        const hst_tensor *named = hst_tensors_at(t, i);
        float *out = malloc(hst_tensor_count(named) * sizeof *out + 1);
        if (out && hst_tensor_floats(named, out, &err) && err.code != HST_EMODEL)
            abort();
        free(out);
    }
    hst_tensors_free(t);
    return 0;
}
