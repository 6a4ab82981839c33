/* HDF5 files and .keras archives, told apart as the helper does. */
#include "convert.h"
#include "fuzz.h"
#include "zip_repair.h"

#include "formats.h"
#include "keras.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    if (n >= 2 && memcmp(in, "PK", 2) == 0)
        fuzz_reader(formats_read, zip_repair, in, n);
    else
        fuzz_reader(keras_read_h5, NULL, in, n);
    return 0;
}
