/* prepare.c - the speed of everything before the network: reading, hashing, decoding, resizing.
 *
 *   prepare BACKBONE FOLDER
 *
 * For every line of standard input one round over the folder's photos, prepared for the backbone as
 * `headstart features` does it, a photo a thread at a time: a line of JSON for one thread and one
 * for all, and an empty line. Wall-clock time; a photo that cannot be used counts like the others.
 */
#include "backbones/backbone.h"
#include "base/context.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "features/features.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct bench {
    const hst_data *photos;
    hst_prep prep;
    hst_executor *executor;
    float *x; /* [threads][px][px][3] */
} bench;

static int prepare(void *arg, size_t i, int thread, hst_err *err)
{
    const bench *b = arg;
    const size_t floats = hst_size_pixels(b->prep.size) * 3;
    uint8_t *bytes = NULL, digest[32];
    size_t n;
    hst_err why = {0};
    int rc = hst_file_read(hst_data_path(b->photos, i), HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n,
                           err);
    rc = rc ? rc : hst_sha256_bytes(bytes, n, digest, err);
    if (rc == 0 &&
        hst_prepare_bytes(&b->prep, bytes, n, b->x + (size_t)thread * floats, &why) == HST_EMEM)
        rc = hst_fail(err, HST_EMEM, "%s", why.msg);
    free(bytes);
    return rc;
}

/* NULL: one thread. */
static int measure(bench *b, hst_executor *ex, hst_err *err)
{
    const size_t n = hst_data_count(b->photos);
    const double since = hst_now_s();
    int rc = hst_executor_try(ex, n, prepare, b, err);
    if (rc == 0)
        printf("{\"threads\": %d, \"batch\": 1, \"images_s\": %.3f}\n", hst_executor_threads(ex),
               (double)n / (hst_now_s() - since));
    return rc;
}

static int follow(bench *b, hst_err *err)
{
    for (int c = getchar(); c != EOF; c = getchar()) {
        if (c != '\n')
            continue;
        if (measure(b, NULL, err) ||
            (hst_executor_threads(b->executor) > 1 && measure(b, b->executor, err)))
            return -1;
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    hst_err err = {.msg = "usage: prepare BACKBONE FOLDER"};
    hst_config cfg = hst_config_from_env();
    hst_ctx *ctx = argc == 3 ? hst_open(&cfg, &err) : NULL;
    hst_backbone *b = ctx ? hst_backbone_open(ctx, argv[1], &err) : NULL;
    hst_data *photos = b ? hst_data_open(ctx, argv[2], NULL, &err) : NULL;
    bench m = {.photos = photos, .executor = ctx ? ctx->executor : NULL};
    int rc = photos ? hst_extractor_prep(b, NULL, &m.prep, &err) : -1;
    if (rc == 0) {
        const size_t floats = hst_size_pixels(m.prep.size) * 3;
        m.x = hst_alloc((size_t)hst_executor_threads(m.executor), floats * sizeof *m.x, &err);
        rc = m.x ? follow(&m, &err) : HST_EMEM;
    }
    if (rc)
        fprintf(stderr, "prepare: %s\n", err.msg);
    free(m.x);
    hst_data_free(photos);
    hst_backbone_free(b);
    hst_close(ctx);
    return rc != 0;
}
