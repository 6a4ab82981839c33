/* layout.h - where in a tree the class folders are, and which parts of the data they make. */
#ifndef HST_DATASET_LAYOUT_H
#define HST_DATASET_LAYOUT_H
#include "dataset/rows.h"
#include "dataset/tree.h"

/* One part of the data: its class folders lie right in folder. */
typedef struct hst_layout_side {
    const char *folder, *path; /* below the root of the tree; of hst_photo_read */
    const char *name;          /* for people, with a slash: "valid/" */
    enum hst_part part;
} hst_layout_side;

enum { HST_LAYOUT_LEVELS = 12 };
typedef struct hst_layout {
    hst_layout_side side[HST_PARTS];
    size_t n;
    /* The folders on the way to the sides, "" first: what else lies in them is not used. */
    const char *level[HST_LAYOUT_LEVELS];
    size_t n_levels;
} hst_layout;

/* Finds it, or says in one line what to do: names of folders that are those of parts (train, valid,
 * ...) are never taken for classes where they may be parts, unless the options say part "none".
 * One folder that holds the class folders or the parts is gone into. Errors: HST_EDATA,
 * HST_EMEM. */
HST_CHECK int hst_layout_find(hst_rows *r, hst_tree *t, hst_layout *l, hst_err *err);

/* A folder right in "folder", by its path below the root. */
typedef struct hst_sub {
    const char *below, *path, *name;
    enum hst_part part;
    size_t files;     /* of any kind, in it and deeper */
    int direct;       /* holds pictures itself */
    size_t nested;    /* folders right in it that hold pictures, in them or deeper */
    const char *skip; /* not NULL: it is junk (""), or what else it is ("a run of headstart") */
} hst_sub;

/* Those in folder, in order; links are opened. In the tree's arena. Errors: HST_EMEM. */
HST_CHECK int hst_layout_subs(const hst_rows *r, hst_tree *t, const char *folder, hst_sub **subs,
                              size_t *n, hst_err *err);
#endif
