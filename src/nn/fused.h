/* fused.h - a whole inverted-residual block as one step: expansion, depthwise convolution and
 * projection band by band, so that what lies between them never leaves the cache. */
#ifndef HST_NN_FUSED_H
#define HST_NN_FUSED_H
#include "nn/step.h"

/* Replaces every run of steps
 *     [convolution ->] depthwise -> 1x1 convolution [+ residual]
 * whose values between have no other reader by one step. cache_bytes decides how many rows are a
 * band, and with that the speed and the scratch memory, never a result: all sums are those of the
 * steps that were replaced, in the same order. */
HST_CHECK int hst_fuse(hst_plan *p, size_t cache_bytes, hst_err *err);
/* What `threads` threads need to run it together. */
hst_step_memory hst_fused_needs(const hst_fused *f, int threads);
#endif
