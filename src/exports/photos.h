/* photos.h - photos of --data: those of the training side calibrate, those of the validation side
 * measure; and which is which a run's split.csv says, or the data's own split. */
#ifndef HST_EXPORTS_PHOTOS_H
#define HST_EXPORTS_PHOTOS_H
#include "dataset/dataset.h"
#include "exports/export.h"

typedef struct hst_export_photos {
    const hst_data *data;
    int *label;         /* [classes of data]: the model's */
    size_t *calibrates; /* [n_calibrates] photos of the training side, all over it */
    size_t *measures;   /* [n_measures] of the validation side */
    size_t n_calibrates, n_measures;
} hst_export_photos;

/* split: a run's split.csv, or NULL. Ended by hst_export_photos_free, also after a failure. Errors:
 * HST_EDATA (photos of something else; none is on a side), HST_EIO, HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_export_photos_open(const hst_ctx *ctx, const hst_model *m, const hst_data *d,
                                     const char *split, hst_export_photos *out, hst_err *err);
void hst_export_photos_free(hst_export_photos *p);

/* Room for n pictures of the network's size and their answers; ended by hst_probes_free, also after
 * a failure. */
HST_CHECK int hst_probes_new(const hst_model *m, int n, hst_probes *out, hst_err *err);
void hst_probes_free(hst_probes *p);
/* The photos photo[*n] as the network sees them, in whole numbers, with what cannot be read left
 * out of both; made as by hst_probes_new. Errors: HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_export_pictures(const hst_ctx *ctx, const hst_model *m,
                                  const hst_export_photos *from, size_t *photo, size_t *n,
                                  hst_probes *out, hst_err *err);

/* What the program's steps lie between over the photos that calibrate, and what is known of their
 * channels: [steps], one block to be freed. Errors: HST_EDATA (none of them can be used),
 * HST_ESTOPPED, HST_EMEM. (calibrate.c) */
hst_step_range *hst_export_calibrate(const hst_exporting *x, const hst_export_photos *from,
                                     hst_err *err);
/* Channels of a product's value that only a depthwise convolution reads are made larger by powers
 * of two, as far as the value's range, so that in 8 bits they have more steps; that convolution's
 * kernel takes it back. (equalise.c) */
void hst_export_equalise(hst_program *p, hst_step_range *range);
#endif
