/* dataset.h - a folder of photos: classes, files, and which side of the split each is on. */
#ifndef HST_DATASET_DATASET_H
#define HST_DATASET_DATASET_H
#include "base/context.h"
#include "base/sha256.h"

typedef struct hst_photo {
    const char *path;     /* as given: dir + "/" + path below it */
    const char *relative; /* below dir (as keys in split.csv): "daisy/1.jpg"; all of path when the
                             photo lies in a validation folder outside dir */
    int label;            /* -1: none */
    int side; /* enum hst_side; HST_UNSPLIT until hst_split_assign for HST_SPLIT_STABLE */
} hst_photo;

/* How photos come to their sides. */
enum hst_split {
    HST_SPLIT_STABLE, /* by content */
    HST_SPLIT_KERAS,  /* by Keras' shuffle */
    HST_SPLIT_NONE,
    HST_SPLIT_FOLDERS /* each side is a folder; not the caller's choice, but found */
};
/* "stable", "keras", "none", "folders"; and back, what a caller may choose: HST_EARG. */
const char *hst_split_name(enum hst_split s);
HST_CHECK int hst_split_parse(const char *name, enum hst_split *out, hst_err *err);

struct hst_data {
    struct hst_arena *arena; /* every string below */
    const char *dir;
    const char **classes;
    int n_classes;
    /* In class order, files in order inside a class; with HST_SPLIT_FOLDERS the validation side
     * follows the training side in the same way. */
    hst_photo *photos;
    size_t n_photos;
    enum hst_split split;
    double val_part;
    uint64_t seed;
};

/* side[i] for every photo. content: [n] SHA-256 of their bytes (none where one could not be read:
 * HST_UNSPLIT), used by "stable" only: validation when the first 8 bytes (big endian) of
 * sha256(seed as 8 bytes LE || content) / 2^64 < val_part, so a photo never changes
 * sides when others come or go, and copies fall on the same side. For "keras" and "folders" the
 * sides were known at the scan. */
HST_CHECK int hst_split_assign(const hst_data *d, const hst_digest *content, uint8_t *side,
                               hst_err *err);

/* Keras' split of n files (tutorial-semantics: image_dataset_from_directory(validation_split,
 * seed)): side[i] and, for the tutorial's data order, order[n]: file indices after the shuffle (may
 * be NULL). HST_EDATA when one side would be empty. */
HST_CHECK int hst_split_keras(size_t n, double val_part, uint64_t seed, uint8_t *side,
                              size_t *order, hst_err *err);
#endif
