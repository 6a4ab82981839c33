/* The index of safetensors in two files, and those. */
#include "folder.h"
#include "fuzz.h"

#include "sharded.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    char index[] = "model.safetensors.index.json", first[] = "a.safetensors",
         second[] = "b.safetensors";
    char *const files[] = {index, first, second, NULL};
    fuzz_folder(sharded_read, NULL, files, in, n);
    return 0;
}
