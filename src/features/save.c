/* save.c - features as files that other programs read: .npy or .safetensors, and a .csv naming its
 * rows; or one .csv of both. */
#include "base/mem.h"
#include "base/shard.h"
#include "base/str.h"
#include "base/text_out.h"
#include "features/features.h"
#include "formats/npy.h"
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct hst_feature_file {
    const hst_data *d;
    hst_shard *shard; /* NULL: all of the photos */
    const char *path;
    hst_out *table; /* NULL: the .csv has the numbers, too */
    hst_text_out csv;
    size_t rows;
    int dim;
};

char *hst_feature_csv_path(const char *path, hst_err *err)
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

int hst_feature_is_table(const char *path)
{
    return hst_ends_with(path, ".npy") || hst_ends_with(path, ".safetensors");
}

int hst_feature_header(hst_out *table, const char *path, size_t rows, int dim, int again,
                       hst_err *err)
{
    return hst_ends_with(path, ".safetensors")
               ? hst_tensors_rows(table, "features", rows, (size_t)dim, again, err)
               : hst_npy_header(table, rows, (size_t)dim, again, err);
}

/* A list of photos is not replaced by what is made of it. */
static int check_not_the_list(const hst_data *d, const char *csv, hst_err *err)
{
    struct stat a, b;
    if (stat(d->dir, &a) != 0 || stat(csv, &b) != 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        return 0;
    return hst_fail(err, HST_EARG, "%s is the list of the photos; give the output another name",
                    csv);
}

int hst_feature_file_open(hst_feature_file **out, const hst_data *d, const char *path, int dim,
                          hst_shard *shard, hst_err *err)
{
    hst_feature_file *f = *out = hst_alloc(1, sizeof *f, err);
    char *csv = f ? hst_feature_csv_path(path, err) : NULL;
    int rc = csv ? 0 : HST_EMEM;
    if (f)
        *f = (hst_feature_file){.d = d, .shard = shard, .path = path, .dim = dim};
    if (rc == 0 && shard && !hst_feature_is_table(path))
        rc = hst_fail(err, HST_EARG, "%s: shards are .npy or .safetensors files", path);
    rc = rc ? rc : check_not_the_list(d, csv, err);
    if (rc == 0)
        rc = hst_text_open(&f->csv, csv, err);
    if (rc == 0 && strcmp(csv, path) != 0)
        rc = hst_out_open(&f->table, path, err);
    if (rc == 0) {
        hst_buf_printf(&f->csv.b, "path,%s", hst_data_known_name(d));
        for (int k = 0; !f->table && k < dim; k++)
            hst_buf_printf(&f->csv.b, ",f%d", k);
        hst_buf_puts(&f->csv.b, "\n");
    }
    if (rc == 0 && f->table)
        rc = hst_feature_header(f->table, path, 0, dim, 0, err);
    free(csv);
    return rc;
}

int hst_feature_file_add(hst_feature_file *f, size_t i, const float *x, hst_err *err)
{
    hst_buf_csv(&f->csv.b, f->d->photos[i].path);
    hst_buf_puts(&f->csv.b, ",");
    hst_data_csv_known(f->d, i, &f->csv.b);
    for (int k = 0; !f->table && k < f->dim; k++) {
        hst_buf_puts(&f->csv.b, ",");
        hst_buf_float(&f->csv.b, x[k]);
    }
    hst_buf_puts(&f->csv.b, "\n");
    f->rows++;
    int rc = hst_text_line(&f->csv, err);
    if (rc == 0 && f->shard)
        rc = hst_shard_vector(f->shard, x, err);
    return rc || !f->table ? rc : hst_out_write(f->table, x, (size_t)f->dim * sizeof *x, err);
}

int hst_feature_file_commit(hst_feature_file *f, hst_err *err)
{
    int rc = f->table ? hst_feature_header(f->table, f->path, f->rows, f->dim, 1, err) : 0;
    const char *line = f->shard && rc == 0 ? hst_shard_line(f->shard, 1, err) : NULL;
    if (f->shard && rc == 0 && !line)
        rc = HST_EMEM;
    if (line)
        hst_buf_printf(&f->csv.b, "%s\n", line);
    if (rc == 0)
        rc = hst_text_commit(&f->csv, err);
    return rc || !f->table ? rc : hst_out_commit(f->table, err);
}

void hst_feature_file_close(hst_feature_file *f)
{
    if (!f)
        return;
    hst_out_close(f->table);
    hst_text_close(&f->csv);
    free(f);
}

int hst_features_save(const hst_features *f, const hst_data *d, const char *path, hst_err *err)
{
    hst_feature_file *file = NULL;
    if (f->n != d->n_photos)
        return hst_fail(err, HST_EARG, "the features are of %zu photos, the data of %zu", f->n,
                        d->n_photos);
    if (!f->x)
        return hst_fail(err, HST_EARG, "these features were not kept, as they are in a file");
    int rc = hst_feature_file_open(&file, d, path, f->dim, NULL, err);
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        if (f->why[i])
            continue;
        rc = hst_feature_file_add(file, i, hst_features_row(f, i), err);
        hst_spill_passed(f->rows, (size_t)f->dim * sizeof *f->x);
    }
    if (rc == 0)
        rc = hst_feature_file_commit(file, err);
    hst_feature_file_close(file);
    return rc;
}
