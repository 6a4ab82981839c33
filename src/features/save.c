/* save.c - features as files that other programs read: .npy, and a .csv naming its rows. */
#include "base/buf.h"
#include "base/mem.h"
#include "features/features.h"
#include "formats/npy.h"

#include <stdlib.h>
#include <string.h>

static int save_npy(const hst_features *f, const char *path, hst_err *err)
{
    hst_out *o;
    int rc = hst_out_open(&o, path, err);
    rc = rc ? rc : hst_npy_header(o, f->n_used, (size_t)f->dim, err);
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        if (!f->why[i])
            rc = hst_out_write(o, hst_features_row(f, i), (size_t)f->dim * sizeof(float), err);
    if (rc == 0)
        rc = hst_out_commit(o, err);
    hst_out_close(o);
    return rc;
}

/* path with its ending replaced by .csv (or .csv appended where it has none), to be freed. */
static char *csv_path(const char *path, hst_err *err)
{
    size_t n = strlen(path);
    char *csv = hst_resize(NULL, n + 5, 1, err);
    if (!csv)
        return NULL;
    memcpy(csv, path, n + 1);
    char *dot = strrchr(hst_path_base(csv), '.');
    memcpy(dot && dot != hst_path_base(csv) ? dot : csv + n, ".csv", 5);
    return csv;
}

static int save_csv(const hst_features *f, const hst_data *d, const char *path, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    hst_buf_printf(&b, "path,%s\n", hst_data_known_name(d));
    for (size_t i = 0; i < f->n; i++) {
        if (f->why[i])
            continue;
        hst_buf_csv(&b, d->photos[i].path);
        hst_buf_puts(&b, ",");
        hst_data_csv_known(d, i, &b);
        hst_buf_puts(&b, "\n");
    }
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}

int hst_features_save(const hst_features *f, const hst_data *d, const char *path, hst_err *err)
{
    if (f->n != d->n_photos)
        return hst_fail(err, HST_EARG, "the features are of %zu photos, the data of %zu", f->n,
                        d->n_photos);
    char *csv = csv_path(path, err);
    if (!csv)
        return HST_EMEM;
    int rc = 0;
    if (strcmp(csv, path) == 0)
        rc = hst_fail(err, HST_EARG, "%s: the .csv is written beside it; give another ending, .npy",
                      path);
    if (rc == 0)
        rc = save_csv(f, d, csv, err);
    if (rc == 0)
        rc = save_npy(f, path, err);
    free(csv);
    return rc;
}
