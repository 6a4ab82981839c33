/* rows.h - what a source of photos found, on its way to become an hst_data.
 *
 * A source (class folders, a list, an archive) is one file with one function, hst_source_fn. It
 * adds a row for each photo, in any order, and tells every file that it leaves out and why; what
 * holds for all sources is done once, in hst_rows_finish: which classes there are, the order of
 * photos, the sides, and whether all that can be learned from. */
#ifndef HST_DATASET_ROWS_H
#define HST_DATASET_ROWS_H
#include "base/mem.h"
#include "dataset/dataset.h"

/* Which part of the data a source says that a photo belongs to. */
enum hst_part {
    HST_PART_NONE, /* it does not say: the photo's side is chosen by hst_data_opts.split */
    HST_PART_TRAIN,
    HST_PART_VAL,
    HST_PART_TEST,
    HST_PARTS
};
/* By a name of a folder or of a split column, in any case and with what is often put around it:
 * "valid", "Validation", "seg_test", "training_set"; HST_PART_NONE: none of them. */
enum hst_part hst_part_of(const char *name);
/* Whether it may stand in hst_data_opts.part; NULL may. Errors: HST_EARG. */
HST_CHECK int hst_part_check(const char *name, hst_err *err);

typedef struct hst_row {
    const char *path;       /* for hst_photo_read */
    const char *relative;   /* below the data's root, as in split.csv; NULL: all of path */
    const char *class_name; /* NULL: none */
    enum hst_part part;
    /* Where a photo may have several labels: [n_labels], in place of class_name; 0: that alone. */
    const char *const *label;
    size_t n_labels;
    double number; /* HST_TARGET_NUMBER */
} hst_row;

typedef struct hst_rows {
    hst_data *data;   /* being made: dir, split, val_part, seed and arena are set; the rest is
                         finish's */
    hst_arena *arena; /* the data's: strings of rows must live as long */
    const struct hst_data_opts *o;
    hst_row *row;
    size_t n, cap;
    /* Of each part that the source has: what it calls it, "valid/", and the folder that its class
     * folders are in, NULL where it has none. */
    const char *part_name[HST_PARTS], *part_path[HST_PARTS];
    const char **classes; /* names told by hst_rows_add_class */
    size_t n_classes, classes_cap;
} hst_rows;

/* What a word on the command line names -> rows. r->data->dir is that word, without slashes at its
 * end. Errors: HST_EDATA (with what to do), HST_EIO, HST_EMEM. */
typedef int hst_source_fn(const hst_ctx *ctx, hst_rows *r, hst_err *err);

/* Strings are not copied: they are the arena's, or constant. Errors: HST_EMEM. */
HST_CHECK int hst_rows_add(hst_rows *r, const hst_row *row, hst_err *err);
/* A class that there is whether it has photos or not; without photos it is told and left out. */
HST_CHECK int hst_rows_add_class(hst_rows *r, const char *name, hst_err *err);
/* A file, or a whole folder, that is not taken. path: as in a row; what: of what kind it is, for
 * people, as hst_admit says it (".mov"); NULL where why says all. */
HST_CHECK int hst_rows_leave_out(hst_rows *r, const char *path, enum hst_left why, const char *what,
                                 hst_err *err);
/* Adds to the line of what was understood, for people: "train/ and valid/ are the two sides". */
HST_CHECK int hst_rows_understood(hst_rows *r, hst_err *err, const char *fmt, ...) HST_PRINTF(3, 4);

/* Leaves of all rows those of the part that is asked for (hst_data_opts.part); a part for tests is
 * left aside where it is not. Sets root and val_root, and tells. Errors: HST_EDATA, HST_EMEM. */
HST_CHECK int hst_rows_take_part(hst_rows *r, hst_err *err);
/* Rows -> r->data. Classes: names in code-point order (byte order of UTF-8) that have photos to
 * train on. Photos: those without a class first, then class by class, inside a class in Keras'
 * order (folder, then name) of relative. Where rows have parts, the training side, then the
 * validation side, and split becomes HST_SPLIT_FOLDERS. Errors: HST_EDATA (no photos; fewer than
 * two classes though it is to be split; too few for Keras' split; a class of the validation side
 * that has none to train on; no such part), HST_EMEM. */
HST_CHECK int hst_rows_finish(const hst_ctx *ctx, hst_rows *r, hst_err *err);
void hst_rows_clear(hst_rows *r); /* {0} is fine */
#endif
