/* listing.h - what lies in folders of photos, in the order of
 * keras.utils.image_dataset_from_directory. */
#ifndef HST_DATASET_LISTING_H
#define HST_DATASET_LISTING_H
#include "base/context.h"
#include "base/mem.h"

/* A growing list of strings. The array is its owner's (free(at)), the strings are the arena's. */
typedef struct hst_names {
    char **at;
    size_t n, cap;
} hst_names;

/* The sub-folders of dir (links to folders too; names starting with "." left out) in code-point
 * order, which is the byte order of UTF-8. *n_photos: photos that lie in dir itself. Errors:
 * HST_EDATA (missing, a file, no permission), HST_EIO, HST_EMEM. */
HST_CHECK int hst_list_classes(hst_arena *arena, const char *dir, hst_names *classes,
                               size_t *n_photos, hst_err *err);

/* Appends dir + "/" + ... of every photo in dir and below: folders in the order of their whole
 * paths, files by name inside a folder. Links to folders are not entered (as Keras 3), links to
 * files count, dangling ones too. webp: 1 to count .webp, which Keras does not. A sub-folder that
 * cannot be read is logged and left out. Errors as above. */
HST_CHECK int hst_list_photos(const hst_ctx *ctx, hst_arena *arena, const char *dir, int webp,
                              hst_names *photos, hst_err *err);
/* Appends what lies in dir and is no photo that hst_list_photos takes: with below 1, in the folders
 * below it too, with below 0 photos in dir itself as well, and no folder. A link to a folder counts
 * as a file. Names that begin with "." are left out, and folders that cannot be read. Order and
 * errors as above, but a dir that cannot be read holds nothing. */
HST_CHECK int hst_list_others(hst_arena *arena, const char *dir, int webp, int below,
                              hst_names *others, hst_err *err);
#endif
