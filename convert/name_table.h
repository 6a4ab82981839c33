/* name_table.h - texts of a file -> numbers: a hash table of fixed size. */
#ifndef CONVERT_NAME_TABLE_H
#define CONVERT_NAME_TABLE_H
#include "base/mem.h"
#include "bytes.h"

typedef struct names {
    struct names_slot {
        bytes key; /* p NULL: free */
        int value;
    } * slot;
    size_t n, most, mask;
} names;

/* Room for that many names, in the arena. */
HST_CHECK int names_init(names *t, size_t most, hst_arena *arena, hst_err *err);
/* key must outlive the table. HST_EMODEL: the name is there already, or there is no room. */
HST_CHECK int names_put(names *t, bytes key, int value, hst_err *err);
int names_get(const names *t, bytes key); /* -1: not there */
#endif
