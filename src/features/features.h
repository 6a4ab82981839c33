/* features.h - photos -> feature vectors, on all threads, memory flat. */
#ifndef HST_FEATURES_FEATURES_H
#define HST_FEATURES_FEATURES_H
#include "base/file.h"
#include "base/sha256.h"
#include "base/spill.h"
#include "dataset/dataset.h"
#include "extractor/extractor.h"

struct hst_features {
    size_t n; /* photos */
    int dim;
    hst_spill *rows, *view_rows, *pictures, *contents; /* where x, views, picture, content live */
    float *x;             /* [n][dim]; rows of skipped photos are zero; NULL: in a file */
    int view_floats;      /* of the extractor */
    float *views;         /* [n][view_floats]: every view's own, where they are kept */
    char **why;           /* [n]; NULL: usable */
    hst_digest *content;  /* [n] SHA-256 of the bytes; none: could not be read */
    hst_picture *picture; /* [n]; pixels 0: could not be decoded */
    uint64_t *pixels;     /* [n] theirs, close together */
    _Atomic(char *) hex;  /* [n][HST_SHA256_HEX] as text, once somebody has asked */
    size_t n_used;
    size_t n_stored; /* of those, from the feature store */
    hst_prep prep;   /* of the first view */
};

/* Of all photos under an extractor. keep_views: every view's features stay as well. */
HST_CHECK hst_features *hst_features_through(hst_ctx *ctx, const hst_extractor *e,
                                             const hst_data *d, int keep_views, hst_err *err);

/* Features on their way into files, as hst_features_save() writes them. */
typedef struct hst_feature_file hst_feature_file;
/* shard: of what the files are to say that they are, kept until the file is closed; or NULL. *out
 * is to be closed also where it could not be opened. Errors: HST_EIO, HST_EARG (path ends in .csv),
 * HST_EMEM. */
HST_CHECK int hst_feature_file_open(hst_feature_file **out, const hst_data *d, const char *path,
                                    int dim, hst_shard *shard, hst_err *err);
/* Photo i of the data; x[dim]. Errors: HST_EIO. */
HST_CHECK int hst_feature_file_add(hst_feature_file *f, size_t i, const float *x, hst_err *err);
/* The files appear. Errors: HST_EIO. */
HST_CHECK int hst_feature_file_commit(hst_feature_file *f, hst_err *err);
void hst_feature_file_close(hst_feature_file *f); /* NULL is fine */
/* path with its ending replaced by .csv (or .csv appended where it has none), to be freed. */
HST_CHECK char *hst_feature_csv_path(const char *path, hst_err *err);
/* 1: what is written there is known for a table by its name. */
int hst_feature_is_table(const char *path);
/* Where a table begins whose name is that: ends in .safetensors or not. The header is written,
 * `again` over the one that is there. */
HST_CHECK int hst_feature_header(hst_out *table, const char *path, size_t rows, int dim, int again,
                                 hst_err *err);

/* Into *out the photos of d's shard, which borrow from d, and the shard, to be freed; where it has
 * none all of them, and NULL. Errors: HST_EARG, HST_EMEM. */
HST_CHECK int hst_features_shard(const hst_ctx *ctx, const hst_extractor *e, const hst_data *d,
                                 hst_data *out, hst_shard **shard, hst_err *err);

/* The same, with the views kept, where f has those of extractor e (kept too) over the same photos:
 * what both have in common is copied, and photos that f skipped are skipped. */
HST_CHECK hst_features *hst_features_further(hst_ctx *ctx, const hst_extractor *to,
                                             const hst_data *d, const hst_extractor *e,
                                             const hst_features *f, hst_err *err);

/* Logs which photos of d with the same picture (f->picture) have different labels: at least one of
 * them is wrong. Errors: HST_EMEM. */
HST_CHECK int hst_copies_warn(const hst_ctx *ctx, const hst_data *d, const hst_features *f,
                              hst_err *err);

/* Logs how many photos of d are 16-bit gray that f's preparation, a model's, clips, if any. */
void hst_features_warn_clipped(const hst_ctx *ctx, const hst_data *d, const hst_features *f);

/* Photos to run once more, through a network that has changed since. */
typedef struct hst_recompute {
    const hst_ctx *ctx;
    const hst_extractor *extractor;
    const hst_data *d;
    const char *phase;   /* what progress calls it */
    const size_t *photo; /* [n] of the data; usable ones */
    size_t n;
    hst_features *f; /* their rows are filled anew */
} hst_recompute;
/* Errors: HST_EDATA (a photo cannot be used any more), HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_features_recompute(const hst_recompute *a, hst_err *err);

/* Photos as augmentation "auto" changes them, several times each. A change depends on the seed, its
 * number and the photo's content, so that the store can keep its features; the key is {seed,
 * number, first four bytes of the content's SHA-256}, numbers being 1 .. times. */
typedef struct hst_changes {
    hst_ctx *ctx;
    const hst_extractor *extractor;
    const hst_data *d;
    const hst_features *have; /* of d: the contents are known */
    const size_t *photo;      /* [n] of the data; usable ones */
    size_t n;
    uint64_t seed;
    int times;
} hst_changes;
/* The key of a change of photo i of the data. */
hst_augment_key hst_change_key(const hst_changes *c, size_t i, int number);
/* x[n][times][dim]. Errors: HST_EDATA (a photo cannot be used any more, or is another one),
 * HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_features_changed(const hst_changes *c, float *x, hst_err *err);
#endif
