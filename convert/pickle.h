/* pickle.h - Python's pickle as data: a machine that builds inert nodes and calls nothing.
 *
 * Pickle is a stack language whose GLOBAL and REDUCE name and call any Python function. Here GLOBAL
 * takes only the names of a constant list, and REDUCE makes a node that says "this would have been
 * called with these arguments". Source of the opcodes: Lib/pickletools.py of CPython; the set is
 * that of torch.load(weights_only=True), protocol 2. Other readers run what they read. */
#ifndef CONVERT_PICKLE_H
#define CONVERT_PICKLE_H
#include "base/err.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,   /* i */
    PICKLE_INT,    /* i */
    PICKLE_LONG,   /* s, n: little-endian two's complement, over 8 bytes */
    PICKLE_FLOAT,  /* d */
    PICKLE_STRING, /* s, n: not NUL-terminated */
    PICKLE_TUPLE,  /* item, n */
    PICKLE_LIST,   /* item, n */
    PICKLE_SET,    /* item, n */
    PICKLE_DICT,   /* item, n: key, value, key, value ... */
    PICKLE_GLOBAL, /* i: an index for pickle_global_name() */
    PICKLE_CALL,   /* item[0] called with the tuple item[1] */
    PICKLE_STORED  /* item[0]: the persistent id, a tuple */
};

typedef struct pickle_node {
    enum pickle_kind kind;
    uint32_t n, cap;
    union {
        int64_t i;
        double d;
        const uint8_t *s; /* inside the pickle's bytes */
        uint32_t *item;   /* node numbers */
    };
} pickle_node;

typedef struct pickle {
    pickle_node *node;
    uint32_t n, cap;
    uint32_t root;
    uint32_t built, state; /* the last object that was given attributes, and these */
} pickle;

/* Runs the program at bytes[0 .. n) up to its STOP; *used: its length. The bytes must outlive p.
 * HST_EMODEL: not a pickle of plain data and tensors. pickle_free() in every case. */
HST_CHECK int pickle_load(pickle *p, const uint8_t *bytes, size_t n, size_t *used, hst_err *err);
void pickle_free(pickle *p);

/* The root's attribute of that name; NULL: there is none. */
const pickle_node *pickle_attribute(const pickle *p, const char *name);

/* Node number i's j-th item. The caller checks kind and n first. */
const pickle_node *pickle_item(const pickle *p, const pickle_node *of, uint32_t j);
/* The value of a key of a dictionary; NULL: it has none. */
const pickle_node *pickle_member(const pickle *p, const pickle_node *dict, const char *key);
/* Whether a node is the string text. */
int pickle_is(const pickle_node *node, const char *text);
/* Whether a node is the global of this full name ("torch._utils._rebuild_tensor_v2"). */
int pickle_is_global(const pickle_node *node, const char *name);
/* The full name of a PICKLE_GLOBAL node. */
const char *pickle_global_name(const pickle_node *node);
#endif
