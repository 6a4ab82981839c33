/* store.h - the feature store: vectors that were computed once, kept in one SQLite file (WAL), so
 * that re-training, evaluation and cross-validation cost no forward pass.
 *
 *   cache_dir/features.sqlite
 *
 * Table vectors: SHA-256 of (what stands for the photo, backbone identity, preparation,
 * instruction set, precision, numerics version) -> float32 vector, and 8 bytes that bind it to its
 * key. The ranges that int8 needs are such a vector, of many photos together.
 *
 * Table pictures: the same for what is remembered of a photo's pixels (hst_picture), by content,
 * decoder and version.
 *
 * Table files: (device, inode, size, mtime) -> SHA-256 of the bytes and, where it matters, their
 * format, bound to the file, so that a known file is not read again.
 *
 * The store is help, never a condition: whatever goes wrong with it is one log line, and the job
 * goes on without. A damaged file is set aside and begun anew; one of another version, or one that
 * another process keeps locked, is left alone. Shared by processes; one handle may be used by many
 * threads. */
#ifndef HST_FEATURES_STORE_H
#define HST_FEATURES_STORE_H
#include "features/features.h"

#include <sys/stat.h>

#define HST_STORE_NAME "features.sqlite"

typedef struct hst_store hst_store;

/* The store of ctx; NULL when there is none to be had (no cache, switched off, unusable: said once
 * through the log). */
hst_store *hst_store_open(const hst_ctx *ctx);
/* Commits, drops the oldest vectors over the size cap, closes; NULL is fine. */
void hst_store_close(hst_store *s);

/* 1 and *content filled when the file behind st was hashed before and has not changed since;
 * *format is filled where headstart-decode decodes it, else HST_FORMAT_UNKNOWN. path: by its ending
 * a row is known that was written before formats were, and is not used. */
int hst_store_known_file(hst_store *s, const char *path, const struct stat *st, hst_digest *content,
                         enum hst_format *format);
void hst_store_remember_file(hst_store *s, const struct stat *st, const hst_digest *content,
                             enum hst_format format);

/* What stands for a photo in the keys of vectors and pictures: its content; and of a format whose
 * pixels may depend on a library's version that version as well, for which a helper is started
 * where none was yet. 0: it is not known; neither look up nor keep anything. */
int hst_store_photo_key(const hst_ctx *ctx, const hst_digest *content, enum hst_format format,
                        hst_digest *key);

/* What the keys of vectors have in common, but for the photo. */
typedef struct hst_store_kind {
    uint8_t prefix[32];
    size_t dim;
    int of_pictures; /* 1: what is remembered of pixels, not what a network says of them */
} hst_store_kind;
/* Of vectors of backbone b that sees photos under prep. Errors: HST_EMEM. */
HST_CHECK int hst_store_kind_of(const hst_ctx *ctx, const hst_backbone *b, const hst_prep *prep,
                                hst_store_kind *out, hst_err *err);
/* Of the same where the photo is seen as augmentation changes it; the key's photo is no part of it,
 * as it must follow from the content. Errors: HST_EMEM. */
HST_CHECK int hst_store_kind_changed(const hst_store_kind *kind, enum hst_augment how,
                                     const hst_augment_key *key, hst_store_kind *out, hst_err *err);

/* Of pictures (hst_picture, as floats) of photos that are decoded under prep. Errors: HST_EMEM. */
HST_CHECK int hst_store_kind_picture(const hst_prep *prep, hst_store_kind *out, hst_err *err);

/* 1 and x[kind->dim] filled when the photo that `photo` stands for has a vector of that kind. */
int hst_store_get(hst_store *s, const hst_store_kind *kind, const hst_digest *photo, float *x);
void hst_store_put(hst_store *s, const hst_store_kind *kind, const hst_digest *photo,
                   const float *x);
#endif
