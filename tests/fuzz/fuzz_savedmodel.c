/* saved_model.pb, the index of the variables and their data. The check sums of the index are made
 * right first: else hardly a mutant would get past them. */
#include "folder.h"
#include "fuzz.h"

#include "base/crc32c.h"
#include "protobuf.h"
#include "savedmodel.h"

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Makes the sum of the block that a handle names right; its entries in *out. 0: no such block. */
static int repair_block(const hst_crc32c *crc, hst_source_file *f, bytes handle, bytes *out)
{
    uint64_t at, n;
    if (pb_varint(&handle, &at, NULL) != 1 || pb_varint(&handle, &n, NULL) != 1 ||
        !within(at, n, f->n_bytes) || f->n_bytes - at - n < 5)
        return 0;
    put32(f->data + at + n + 1, hst_crc32c_masked(crc, f->data + at, (size_t)n + 1));
    *out = (bytes){f->data + at, (size_t)n};
    return 1;
}

/* The index names its blocks in the values of its entries. */
static void repair(hst_source *s)
{
    hst_crc32c crc;
    hst_source_file *f = &s->file[1];
    bytes handle, index, block;
    uint64_t shared, rest, n;
    hst_crc32c_init(&crc);
    if (f->n_bytes < 48)
        return;
    handle = (bytes){f->data + f->n_bytes - 48, 40};
    if (pb_varint(&handle, &n, NULL) != 1 || pb_varint(&handle, &n, NULL) != 1 ||
        !repair_block(&crc, f, handle, &index))
        return;
    for (int i = 0; i < 100; i++) {
        if (pb_varint(&index, &shared, NULL) != 1 || pb_varint(&index, &rest, NULL) != 1 ||
            pb_varint(&index, &n, NULL) != 1 || !within(rest, n, index.n))
            return;
        (void)repair_block(&crc, f, (bytes){index.p + rest, (size_t)n}, &block);
        index.p += rest + n;
        index.n -= (size_t)(rest + n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    char pb[] = "saved_model.pb", index[] = "variables/variables.index";
    char data[] = "variables/variables.data-00000-of-00001";
    char *const files[] = {pb, index, data, NULL};
    fuzz_folder(savedmodel_read, repair, files, in, n);
    return 0;
}
