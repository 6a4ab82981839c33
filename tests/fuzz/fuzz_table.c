/* fuzz_table - libFuzzer: lists of photos, as any of the kinds that a name may claim.
 *
 * The first byte chooses the name, the rest is the file. */
#include "fuzz.h"

#include "dataset/table.h"

#include <string.h>

/* All cells are there to be read, and none is outside of its row. */
static void read_all(const hst_table *t)
{
    size_t letters = 0;
    for (size_t r = 0; r < t->n_rows; r++)
        for (size_t c = 0; c <= t->n_columns; c++) {
            const hst_cell cell = hst_table_at(t, r, c);
            const char *text = cell.text;
            if ((c == t->n_columns || !text) && cell.n)
                __builtin_trap();
            for (size_t i = 0; i < cell.n; i++)
                text += strlen(text) + 1;
            letters += cell.n ? (size_t)(text - cell.text) : 0;
        }
    for (size_t c = 0; t->column && c < t->n_columns; c++)
        letters += strlen(t->column[c]);
    if (letters > 1u << 30)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = {"l.csv", "l.json", "l.jsonl", "train.txt"};
    hst_err err = {0};
    hst_table t;
    if (n == 0 || n > 1 << 20)
        return 0;
    const char *name = names[bytes[0] % (sizeof names / sizeof *names)];
    hst_arena *arena = hst_arena_new(&err);
    if (!arena)
        __builtin_trap();
    const int rc = hst_table_parse(arena, &(hst_table_file){bytes + 1, n - 1, name}, &t, &err);
    if ((rc != 0) != (err.msg[0] != 0) || (rc != 0 && rc != HST_EDATA))
        __builtin_trap(); /* a refusal has a reason, a table has none */
    if (rc == 0) {
        read_all(&t);
        if (hst_table_take_header(&t, &err) != 0)
            __builtin_trap();
        read_all(&t);
    }
    hst_table_clear(&t);
    hst_arena_free(arena);
    return 0;
}
