/* Both layouts of a PyTorch file, told apart as the helper does. */
#include "convert.h"
#include "fuzz.h"
#include "zip_repair.h"

#include "pth.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    if (n >= 2 && memcmp(in, "PK", 2) == 0)
        fuzz_reader(pth_read_zip, zip_repair, in, n);
    else
        fuzz_reader(pth_read_legacy, NULL, in, n);
    return 0;
}
