/* left.h - the files and folders that a scan did not take, by what they are. */
#ifndef HST_DATASET_LEFT_H
#define HST_DATASET_LEFT_H
#include "base/buf.h"
#include "base/mem.h"

/* Those that are alike: of one ending, say. */
typedef struct hst_left_group {
    enum hst_left why;
    const char *what;   /* ".heic (install libheif)", ".mov", "Thumbs.db"; "": why says it all */
    const char *reason; /* both as one line for people */
    size_t n;
} hst_left_group;

typedef struct hst_left_file {
    const char *path;
    size_t group;
} hst_left_file;

/* {.arena = ...} is an empty one. */
typedef struct hst_left_list {
    hst_arena *arena; /* of texts; paths are the caller's */
    hst_left_file *file;
    hst_left_group *group;
    size_t n, cap, n_groups, groups_cap;
} hst_left_list;

HST_CHECK int hst_left_add(hst_left_list *l, const char *path, enum hst_left why, const char *what,
                           hst_err *err);
void hst_left_sort(hst_left_list *l); /* files by path */
void hst_left_clear(hst_left_list *l);

/* All of them in one line, of paths without root: "6 files are not photos that can be read: 3 .heic
 * (install libheif), 2 .mov, 1 without an ending; 1 photo lies outside the class folders". Nothing
 * where none was left out. */
void hst_left_tell(const hst_left_list *l, const char *root, hst_buf *b);
/* Whether photos, or what may be some, are among them: not only junk and files beside the classes
 * that never were pictures. */
int hst_left_matters(const hst_left_list *l);
#endif
