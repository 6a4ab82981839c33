/* Both layouts of a PyTorch file, told apart as the helper does. */
#include "convert.h"
#include "fuzz.h"

#include "pth.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    int zipped = n >= 2 && memcmp(bytes, "PK", 2) == 0;
    fuzz_reader(zipped ? pth_read_zip : pth_read_legacy, bytes, n);
    return 0;
}
