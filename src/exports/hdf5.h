/* hdf5.h - writing an HDF5 file of groups and of data sets of float32, the little of the format
 * that weights need (HDF5 File Format Specification 3.0): superblock 0, object headers 1, groups
 * whose members are link messages in their header, contiguous data. h5py and Keras read it. */
#ifndef HST_EXPORTS_HDF5_H
#define HST_EXPORTS_HDF5_H
#include "base/buf.h"

enum { HST_H5_NAME = 64, HST_H5_DIMS = 4 };

/* A group, or a data set. */
typedef struct hst_h5_object {
    char name[HST_H5_NAME];
    int parent;     /* -1: the root, the first object */
    const float *p; /* borrowed until the file is written; NULL: a group */
    int n_dims, dim[HST_H5_DIMS];
    uint64_t header, data; /* where they are in the file */
} hst_h5_object;

typedef struct hst_h5 {
    hst_h5_object *object;
    size_t n, cap;
} hst_h5;

/* The number of the group of that name in group `in`, which is made where it is not there; the root
 * is made by in < 0. Negative: HST_EMEM. */
HST_CHECK int hst_h5_group(hst_h5 *h, int in, const char *name, hst_err *err);
/* A data set p[dim[0]][dim[1]]... in a group. */
HST_CHECK int hst_h5_data(hst_h5 *h, int in, const char *name, const float *p, int n_dims,
                          const int *dim, hst_err *err);
size_t hst_h5_count(const hst_h5_object *o); /* numbers of a data set */
/* Appends the file but for its data, which go behind that in the order of the objects. */
HST_CHECK int hst_h5_head(hst_h5 *h, hst_buf *b, hst_err *err);
void hst_h5_free(hst_h5 *h);
#endif
