/* hdf5.c - roman numbers are the specification's sections. */
#include "exports/hdf5.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum message {
    DATASPACE = 1,
    LINK_INFO = 2,
    DATATYPE = 3,
    FILL = 5,
    LINK = 6,
    LAYOUT = 8,
    GROUP_INFO = 10
};

enum { SUPERBLOCK = 96, HEADER = 16, MESSAGE = 8, FLOAT_TYPE = 20, LINK_INFO_BYTES = 18 };

static void put(hst_buf *b, uint64_t v, int bytes)
{
    uint8_t p[8];
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    hst_buf_add(b, p, (size_t)bytes);
}

static void pad(hst_buf *b)
{
    while (b->n % 8 && !b->failed)
        put(b, 0, 1);
}

/* ---- objects ---- */

static int add(hst_h5 *h, int in, const char *name, hst_err *err)
{
    if (hst_make_room((void **)&h->object, h->n, &h->cap, sizeof *h->object, err))
        return HST_EMEM;
    hst_h5_object *o = &h->object[h->n];
    *o = (hst_h5_object){.parent = in};
    snprintf(o->name, sizeof o->name, "%s", name);
    return (int)h->n++;
}

int hst_h5_group(hst_h5 *h, int in, const char *name, hst_err *err)
{
    for (size_t i = h->n; i-- > 0;)
        if (h->object[i].parent == in && strcmp(h->object[i].name, name) == 0)
            return (int)i;
    return add(h, in, name, err);
}

int hst_h5_data(hst_h5 *h, int in, const char *name, const float *p, int n_dims, const int *dim,
                hst_err *err)
{
    const int at = add(h, in, name, err);
    if (at < 0)
        return at;
    hst_h5_object *o = &h->object[at];
    o->p = p;
    o->n_dims = n_dims;
    memcpy(o->dim, dim, (size_t)n_dims * sizeof *dim);
    return 0;
}

size_t hst_h5_count(const hst_h5_object *o)
{
    size_t n = 1;
    for (int i = 0; i < o->n_dims; i++)
        n *= (size_t)o->dim[i];
    return n;
}

void hst_h5_free(hst_h5 *h)
{
    free(h->object);
    *h = (hst_h5){0};
}

/* ---- how long headers are ---- */

static size_t message_bytes(size_t n)
{
    return MESSAGE + hst_round_up(n, 8);
}

static size_t link_bytes(const hst_h5_object *o)
{
    return message_bytes(3 + strlen(o->name) + 8);
}

static size_t header_bytes(const hst_h5 *h, size_t i, int *messages)
{
    const hst_h5_object *o = &h->object[i];
    size_t n = message_bytes(LINK_INFO_BYTES) + message_bytes(2);
    *messages = o->p ? 4 : 2;
    if (o->p)
        return message_bytes(8 + 8 * (size_t)o->n_dims) + message_bytes(FLOAT_TYPE) +
               message_bytes(4) + message_bytes(18);
    for (size_t k = i + 1; k < h->n; k++)
        if (h->object[k].parent == (int)i) {
            n += link_bytes(&h->object[k]);
            ++*messages;
        }
    return n;
}

/* Every header behind the superblock, then the data. */
static uint64_t place(hst_h5 *h)
{
    uint64_t at = SUPERBLOCK;
    int messages;
    for (size_t i = 0; i < h->n; i++) {
        h->object[i].header = at;
        at += HEADER + header_bytes(h, i, &messages);
    }
    for (size_t i = 0; i < h->n; i++)
        if (h->object[i].p) {
            h->object[i].data = at;
            at += sizeof(float) * hst_h5_count(&h->object[i]);
        }
    return at;
}

/* ---- written ---- */

/* II.A: superblock 0, sizes of 8 bytes. Its numbers of entries of older groups are the usual ones.
 */
static void superblock(hst_buf *b, uint64_t root, uint64_t end)
{
    hst_buf_add(b, "\x89HDF\r\n\x1a\n", 8);
    put(b, 0, 5);
    put(b, 8, 1);
    put(b, 8, 1);
    put(b, 0, 1);
    put(b, 4, 2);
    put(b, 16, 2);
    put(b, 0, 4);
    put(b, 0, 8);
    put(b, UINT64_MAX, 8); /* no list of free space */
    put(b, end, 8);
    put(b, UINT64_MAX, 8); /* no driver */
    put(b, 0, 8);          /* the root's entry (III.C) */
    put(b, root, 8);
    put(b, 0, 8);
    put(b, 0, 8);
    put(b, 0, 8);
}

/* IV.A.1.a: what stands in front of a message of n bytes. */
static void message(hst_buf *b, enum message type, size_t n)
{
    put(b, type, 2);
    put(b, hst_round_up(n, 8), 2);
    put(b, type == DATATYPE, 4); /* flag: it never changes */
}

/* IV.A.2.c, r, g: of members that lie in the header, with no order but that of their names. */
static void group(hst_buf *b, const hst_h5 *h, size_t i)
{
    message(b, LINK_INFO, LINK_INFO_BYTES);
    put(b, 0, 2);
    put(b, UINT64_MAX, 8);
    put(b, UINT64_MAX, 8);
    pad(b);
    message(b, GROUP_INFO, 2);
    put(b, 0, 8);
    for (size_t k = i + 1; k < h->n; k++) {
        const hst_h5_object *o = &h->object[k];
        if (o->parent != (int)i)
            continue;
        message(b, LINK, link_bytes(o) - MESSAGE);
        put(b, 1, 2);
        put(b, strlen(o->name), 1);
        hst_buf_puts(b, o->name);
        put(b, o->header, 8);
        pad(b);
    }
}

/* IV.A.2.b, d, f, i. */
static void data(hst_buf *b, const hst_h5_object *o)
{
    message(b, DATASPACE, 8 + 8 * (size_t)o->n_dims);
    put(b, 1, 1);
    put(b, (uint64_t)o->n_dims, 1);
    put(b, 0, 6);
    for (int i = 0; i < o->n_dims; i++)
        put(b, (uint64_t)o->dim[i], 8);
    message(b, DATATYPE, FLOAT_TYPE); /* IEEE, little endian: sign 31, exponent 23 to 30 */
    put(b, 0x11, 1);
    put(b, 0x1f20, 3);
    put(b, 4, 4);
    put(b, 0, 2);
    put(b, 32, 2);
    put(b, 23, 1);
    put(b, 8, 1);
    put(b, 0, 1);
    put(b, 23, 1);
    put(b, 127, 4);
    pad(b);
    message(b, FILL, 4); /* none */
    put(b, 2, 1);
    put(b, 1, 1);
    put(b, 2, 6);
    message(b, LAYOUT, 18);
    put(b, 3, 1);
    put(b, 1, 1); /* contiguous */
    put(b, o->data, 8);
    put(b, sizeof(float) * hst_h5_count(o), 8);
    pad(b);
}

int hst_h5_head(hst_h5 *h, hst_buf *b, hst_err *err)
{
    const uint64_t end = place(h);
    superblock(b, h->object[0].header, end);
    for (size_t i = 0; i < h->n; i++) {
        int messages;
        const size_t n = header_bytes(h, i, &messages);
        put(b, 1, 2);
        put(b, (uint64_t)messages, 2);
        put(b, 1, 4); /* one link leads to it */
        put(b, n, 8); /* and no bytes to align */
        if (h->object[i].p)
            data(b, &h->object[i]);
        else
            group(b, h, i);
    }
    return hst_buf_check(b, err);
}
