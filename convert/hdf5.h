/* hdf5.h - the part of HDF5 that h5py writes: groups, attributes and data sets of numbers and
 * texts, over a file in memory.
 *
 * Objects go by the address of their header in the file. What is not weights' business is refused
 * when it is met: links that are not hard links, data in other files or made of other data sets,
 * shared types, data that was never written, fractal heaps, version 4 chunk indexes. Everything
 * read costs from a budget of steps and of bytes, so that a small file cannot ask for much work.
 *
 * libhdf5 is a large reader with a long list of holes that damaged files found in it, and it opens
 * other files and resolves links before a caller can look; weights need the small part above.
 * Source: the HDF5 File Format Specification, version 3.0; its sections are named
 * at each reader. */
#ifndef CONVERT_HDF5_H
#define CONVERT_HDF5_H
#include "base/mem.h"
#include "formats/safetensors.h"

enum { H5_MAX_DIMS = 8 };

typedef struct h5 {
    const uint8_t *p;
    uint64_t n;
    hst_arena *arena; /* what is made: names, texts, unpacked data */
    uint64_t root;
    uint64_t steps, bytes; /* what is left of the budgets */
} h5;

/* p must stay. HST_EMODEL: no superblock of version 0 to 3, other offsets than 8 bytes. */
HST_CHECK int h5_open(h5 *f, const uint8_t *p, size_t n, hst_arena *arena, hst_err *err);

typedef struct h5_link {
    const char *name;
    uint64_t at;
} h5_link;
typedef struct h5_links {
    h5_link *link;
    size_t n, cap;
} h5_links;
/* The members of a group, in the file's order; in the arena. None for a data set. */
HST_CHECK int h5_list(h5 *f, uint64_t group, h5_links *out, hst_err *err);
/* Follows names with slashes between them from a group. *at: 0 where nothing has that name. */
HST_CHECK int h5_find(h5 *f, uint64_t group, const char *path, uint64_t *at, hst_err *err);

typedef struct h5_texts {
    const char **text;
    size_t n;
    int found; /* 0: the object has no such attribute */
} h5_texts;
/* An attribute of texts, of fixed or variable length; in the arena. HST_EMODEL: it is no text. */
HST_CHECK int h5_attribute(h5 *f, uint64_t object, const char *name, h5_texts *out, hst_err *err);

/* A data set's type, shape and data: in the file where they lie in one piece there, else in the
 * arena. The name is left alone. HST_EMODEL: it is no data set of little-endian numbers. */
HST_CHECK int h5_data(h5 *f, uint64_t object, hst_tensor *out, hst_err *err);

/* ---- for hdf5*.c alone ---- */

/* Parts a, b, c... of section IV.A.2 are in the order of these numbers. */
enum h5_message_type {
    H5_DATASPACE = 1,
    H5_LINK_INFO = 2,
    H5_DATATYPE = 3,
    H5_LINK = 6,
    H5_EXTERNAL = 7,
    H5_LAYOUT = 8,
    H5_FILTERS = 11,
    H5_ATTRIBUTE = 12,
    H5_CONTINUATION = 16,
    H5_SYMBOL_TABLE = 17,
    H5_ATTRIBUTE_INFO = 21
};

/* One message of an object's header. */
typedef struct h5_message {
    unsigned type;
    int shared; /* 1: it lies elsewhere, p says where */
    const uint8_t *p;
    uint64_t n;
} h5_message;
typedef int h5_visitor(h5 *f, void *to, const h5_message *m, hst_err *err);
/* Calls see for every message of the object's header, until it fails. */
HST_CHECK int h5_visit(h5 *f, uint64_t object, h5_visitor *see, void *to, hst_err *err);

/* n bytes at an address; NULL: outside the file. */
const uint8_t *h5_at(const h5 *f, uint64_t at, uint64_t n);
uint64_t h5_int(const uint8_t *p, int bytes); /* little endian */
/* Takes steps from the budget. */
HST_CHECK int h5_step(h5 *f, uint64_t steps, hst_err *err);
/* n bytes of the arena, from the budget. NULL: err says why, err->code is to be returned. */
HST_CHECK void *h5_alloc(h5 *f, uint64_t n, hst_err *err);
int h5_refuse(hst_err *err, const char *why); /* HST_EMODEL */

/* Shape: version 1 or 2 of the dataspace message (IV.A.2.b). */
typedef struct h5_space {
    int n_dims, is_null;
    uint64_t dim[H5_MAX_DIMS], count;
} h5_space;
HST_CHECK int h5_read_space(const uint8_t *p, uint64_t n, h5_space *out, hst_err *err);

enum h5_class { H5_INTEGER = 0, H5_FLOAT = 1, H5_STRING = 3, H5_VLEN = 9 };
typedef struct h5_type {
    enum h5_class class;
    uint32_t size;
    enum hst_dtype dtype; /* of numbers */
    int is_text;          /* fixed or variable length */
} h5_type;
/* Versions 1 to 3 of the datatype message (IV.A.2.d). */
HST_CHECK int h5_read_type(const uint8_t *p, uint64_t n, h5_type *out, hst_err *err);
#endif
