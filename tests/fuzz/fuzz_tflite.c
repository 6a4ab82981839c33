/* A TFLite file. */
#include "convert.h"
#include "fuzz.h"

#include "tflite.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    fuzz_reader(tflite_read, NULL, in, n);
    return 0;
}
