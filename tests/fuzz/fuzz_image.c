/* fuzz_image - libFuzzer: any bytes, every contract, from file to tensor; what the header says. */
#include "fuzz.h"

#include "images/picture.h"
#include "images/prepare.h"

/* Memory the tensor of a fuzzing run needs: small, so that decoding dominates. */
enum { PX = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    float out[PX * PX * 3];
    const hst_facts f = hst_facts_of(bytes, n);
    if (f.w < 0 || f.h < 0 || f.orientation < 1 || f.orientation > 8 || f.format >= HST_FORMATS)
        __builtin_trap();
    for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_SCALED; c++) {
        hst_err e = {0};
        hst_prep p = {(enum hst_resampler)c, {PX, PX}, {{127.5f, 127.5f, 127.5f}, {128, 128, 128}}};
        int rc = hst_prepare_bytes(&p, bytes, n, out, &e);
        if ((rc != 0) != (e.msg[0] != 0))
            __builtin_trap(); /* a failure has a reason, a success has none */
    }
    return 0;
}
