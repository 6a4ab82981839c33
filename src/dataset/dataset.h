/* dataset.h - a folder of photos: classes, files, and which side of the split each is on. */
#ifndef HST_DATASET_DATASET_H
#define HST_DATASET_DATASET_H
#include "base/buf.h"
#include "base/context.h"
#include "base/sha256.h"
#include "dataset/left.h"

typedef struct hst_photo {
    const char *path;     /* as given: dir + "/" + path below it */
    const char *relative; /* below dir (as keys in split.csv): "daisy/1.jpg"; all of path when the
                             photo lies in a validation folder outside dir */
    int label;            /* HST_TARGET_CLASS; -1: none, and where the target is another */
    int side; /* enum hst_side; HST_UNSPLIT until hst_split_assign for HST_SPLIT_STABLE */
    const uint8_t *marks; /* HST_TARGET_LABELS: [n_classes] 1: has that label; else NULL */
    double number;        /* HST_TARGET_NUMBER; else NaN */
} hst_photo;

/* How photos come to their sides. */
enum hst_split {
    HST_SPLIT_STABLE, /* by content */
    HST_SPLIT_KERAS,  /* by Keras' shuffle */
    HST_SPLIT_NONE,
    HST_SPLIT_FOLDERS /* the sides were found: each is a folder, or a column of a list says them */
};
/* "stable", "keras", "none", "folders"; and back, what a caller may choose: HST_EARG. */
const char *hst_split_name(enum hst_split s);
HST_CHECK int hst_split_parse(const char *name, enum hst_split *out, hst_err *err);

struct hst_data {
    struct hst_arena *arena; /* every string below */
    const char *dir;
    /* What was scanned: root/class/..., and the same below val_root where the sides are folders;
     * NULL where the photos are no folder's. */
    const char *root, *val_root;
    enum hst_target target;
    const char **classes; /* of a number the one name of what it is: "age" */
    int n_classes;
    /* Of classes in class order, files in order inside a class; with HST_SPLIT_FOLDERS the
     * validation side follows the training side in the same way. */
    hst_photo *photos;
    size_t n_photos;
    hst_left_list left;
    const char *left_summary, *understood; /* NULL: nothing to say */
    enum hst_split split;
    double val_part;
    uint64_t seed;
    int shard, shards; /* what hst_features_stream is to be of; 0: all photos */
};

/* What is known of photo i, as text: its class, its labels with '|' between, its number; and as a
 * field of a CSV file. */
void hst_data_put_known(const hst_data *d, size_t i, hst_buf *b);
void hst_data_csv_known(const hst_data *d, size_t i, hst_buf *b);
/* "label", "labels", "number": a column of those. */
const char *hst_data_known_name(const hst_data *d);
/* The same is known of photos a and b. */
int hst_data_same_known(const hst_data *d, size_t a, size_t b);

/* The options complete and checked. */
HST_CHECK int hst_data_opts_read(const hst_data_opts *given, hst_data_opts *o,
                                 enum hst_split *split, hst_err *err);

/* path without the data's folder; all of it where it lies elsewhere. */
const char *hst_data_relative(const hst_data *d, const char *path);

/* side[i] for every photo. content: [n] SHA-256 of their bytes (none where one could not be read:
 * HST_UNSPLIT), and why[n], not NULL where a photo cannot be used (why NULL: all can), are used by
 * "stable" only. With number = the first 8 bytes (big endian) of sha256(seed as 8 bytes LE ||
 * content) / 2^64, a photo is on the validation side when number < val_part, unless it has the
 * largest number of the usable photos of its class: that one stays on the training side, so that
 * every class has something to learn from. Copies fall on the same side, in other classes too.
 *
 * So a photo's side depends on its content alone but for one photo of a class, and for that one
 * only while all photos of its class have numbers below val_part (with 0.2: one in 5 classes of a
 * single photo, one in 3,000 of five). Photos that come or go then move at most one content of
 * their class. A class is not promised a validation photo: where sides depend on content alone, all
 * photos of a class may fall on the training side (with 0.2: half of the classes of three photos,
 * one in ten of ten), and choosing one of them would move others when photos come.
 *
 * Photos with several labels or a number are no classes: there one photo of all always trains.
 *
 * A side may be empty. For "keras" and "folders" the sides were known at the scan. */
HST_CHECK int hst_split_assign(const hst_data *d, const hst_digest *content, char *const *why,
                               uint8_t *side, hst_err *err);

/* Keras' split of n files (tutorial-semantics: image_dataset_from_directory(validation_split,
 * seed)): side[i] and, for the tutorial's data order, order[n]: file indices after the shuffle (may
 * be NULL). HST_EDATA when one side would be empty. */
HST_CHECK int hst_split_keras(size_t n, double val_part, uint64_t seed, uint8_t *side,
                              size_t *order, hst_err *err);
#endif
