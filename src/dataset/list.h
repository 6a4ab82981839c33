/* list.h - what a list of any kind says of photos, gathered until all of it is known: which of them
 * are there, what is said of one photo in several places, and whether a photo may have several
 * labels. */
#ifndef HST_DATASET_LIST_H
#define HST_DATASET_LIST_H
#include "dataset/finder.h"
#include "dataset/rows.h"
#include "dataset/table.h"

/* One row of a list, its texts in the arena. */
typedef struct hst_entry {
    const char *path;   /* the file that it means */
    const char **label; /* [n_labels], without doubles */
    size_t n_labels;
    double number; /* HST_TARGET_NUMBER */
    enum hst_part part;
    size_t line;       /* where the list says it, for messages; 0: not known */
    const char *wrong; /* why what is said is of no use; NULL: it is */
} hst_entry;

typedef struct hst_list {
    const hst_ctx *ctx;
    hst_rows *rows;
    const char *file; /* the list's name */
    hst_finder finder;
    hst_entry *entry;
    size_t n, cap;
    int repeats; /* 1: it is the way of this kind of list to name a photo several times */
    size_t n_missing, n_doubles;
    const char *missing; /* the first */
} hst_list;

/* in: the tree of an archive that the photos are in, or NULL; base: where they are. */
void hst_list_begin(hst_list *l, const hst_ctx *ctx, hst_rows *r, const char *base, hst_tree *in);
void hst_list_clear(hst_list *l);

/* The photo that cell means, with what e says of it (path is not looked at); left out where it is
 * not there. Errors: HST_EMEM. */
HST_CHECK int hst_list_add(hst_list *l, const char *cell, const hst_entry *e, hst_err *err);
/* An entry whose path is a file that is there. */
HST_CHECK int hst_list_put(hst_list *l, const hst_entry *e, hst_err *err);
/* A row that names no photo. */
HST_CHECK int hst_list_refuse(hst_list *l, size_t line, const char *what, hst_err *err);

/* All entries -> rows; a photo of several entries has their labels. Where photos have one class
 * each, those with several are left out, or, where most have, all of it is refused. Errors:
 * HST_EDATA (no photo is there), HST_EMEM. */
HST_CHECK int hst_list_end(hst_list *l, hst_err *err);

/* ---- the kinds of lists: each adds entries ---- */

/* A table. part: of all its rows, where no column says it. Errors: HST_EDATA, HST_EMEM. */
HST_CHECK int hst_list_table(hst_list *l, hst_table *t, enum hst_part part, hst_err *err);
/* Whether the table says of photos what they show, by columns of known names. */
HST_CHECK int hst_list_is_labelled(hst_list *l, hst_table *t);

/* COCO's annotations, "images" with "annotations" of "categories". text[n] with a NUL behind it;
 * *is: 0, it is something else, and nothing was added. */
HST_CHECK int hst_list_coco(hst_list *l, const hst_table_file *text, enum hst_part part, int *is,
                            hst_err *err);

/* The file at path, whatever it is of these; l->file is its name from now on. */
HST_CHECK int hst_list_file(hst_list *l, const char *path, enum hst_part part, hst_err *err);
/* Its bytes with a NUL behind them, to be freed. */
HST_CHECK int hst_list_text(const hst_ctx *ctx, const char *path, hst_table_file *text,
                            hst_err *err);

/* ---- sources ---- */

/* r->data->dir is a file: a list. Its photos are below o->images, or beside it. */
HST_CHECK int hst_list_read(const hst_ctx *ctx, hst_rows *r, hst_err *err);
/* A tree whose lists say what its photos show, known by their names (metadata.csv, _classes.csv,
 * ...), or with o->label_from the paths of its photos. *taken: 0, there is no such list, and
 * nothing was added. */
HST_CHECK int hst_list_read_tree(const hst_ctx *ctx, hst_rows *r, hst_tree *tree, int *taken,
                                 hst_err *err);
#endif
