/* An ONNX file. */
#include "convert.h"
#include "fuzz.h"

#include "onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    fuzz_reader(onnx_read, NULL, in, n);
    return 0;
}
