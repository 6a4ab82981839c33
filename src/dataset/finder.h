/* finder.h - the file that a list means by a path or an id. */
#ifndef HST_DATASET_FINDER_H
#define HST_DATASET_FINDER_H
#include "dataset/tree.h"

/* Where the files of a list are: below a folder, on disk or in an archive. */
typedef struct hst_finder {
    hst_arena *arena;    /* borrowed, of what is found */
    const char *base;    /* the folder; may be changed to another of the tree that was given */
    hst_tree own, *tree; /* what lies below it; NULL until something is not where it should be */
    int scanned, given, in_archive;
    size_t *by_stem;    /* [tree->n_files] files in order of their names without ending */
    const char *prefix; /* what the list's paths begin with and the base has not; NULL: nothing */
    size_t n_searched;  /* found deeper down by their names */
} hst_finder;

/* in: a tree that holds the base, or NULL: what is on disk. Both are borrowed. */
void hst_finder_begin(hst_finder *f, hst_arena *arena, const char *base, hst_tree *in);
void hst_finder_end(hst_finder *f);

/* The path of the file that cell means, in the arena: as it is; with '/' for '\'; with a photo's
 * ending behind it; anywhere below the base, where exactly one file's path ends so; without what
 * all paths of the list begin with. *path NULL: none; *why may say more of it (NULL: no). Errors:
 * HST_EMEM. */
HST_CHECK int hst_finder_find(hst_finder *f, const char *cell, const char **path, const char **why,
                              hst_err *err);
#endif
