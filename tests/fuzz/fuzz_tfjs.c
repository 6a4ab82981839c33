/* model.json and a shard. */
#include "folder.h"
#include "fuzz.h"

#include "tfjs.h"

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    char json[] = "model.json", shard[] = "w.bin";
    char *const files[] = {json, shard, NULL};
    fuzz_folder(tfjs_read, NULL, files, in, n);
    return 0;
}
