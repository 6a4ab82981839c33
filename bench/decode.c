/* bench_decode - photos a second through headstart-decode, beside the same reader in this process.
 *
 *   bench_decode THREADS SECONDS FILE...
 *
 * Prints: FILE, photos a second inside, through the helper, and the second over the first. The two
 * take turns, so that what else the machine does slows both. */
#include "codec.h"

#include "base/context.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "images/decoders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_THREADS = 64, TURNS = 6 };

typedef struct bench {
    uint8_t *bytes;
    size_t n, rgb_bytes;
    hst_decoders *d; /* NULL: in this process */
    double until_s;
} bench;

static int inside(const bench *b, hst_err *err)
{
    const codec *reader = codec_of(hst_format_of(b->bytes, b->n));
    canvas c = {.room = b->rgb_bytes, .orientation = 1};
    c.rgb = hst_alloc_raw((size_t)c.room, 1, err);
    const int rc = reader && c.rgb ? reader->read(b->bytes, b->n, &c, err) : HST_EMEM;
    free(c.rgb);
    return rc;
}

static int through(bench *b, hst_err *err)
{
    hst_image img = {0};
    const hst_decode how = {HST_RESAMPLE_PIL, 0, b->d};
    const int rc = hst_image_decode(&how, b->bytes, b->n, &img, err);
    b->rgb_bytes = (size_t)img.w * (size_t)img.h * 3;
    hst_image_clear(&img);
    return rc;
}

static void *work(void *arg)
{
    bench own = *(const bench *)arg, *b = &own;
    long n = 0;
    for (; hst_now_s() < b->until_s; n++) {
        hst_err err = {0};
        if (b->d ? through(b, &err) : inside(b, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            return (void *)-1;
        }
    }
    return (void *)n;
}

/* Photos a second. */
static double measure(bench *b, int threads, double seconds)
{
    pthread_t thread[MAX_THREADS];
    long done = 0;
    const double began = hst_now_s();
    b->until_s = began + seconds;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, b) != 0)
            exit(1);
    for (int i = 0; i < threads; i++) {
        void *n;
        pthread_join(thread[i], &n);
        done += (long)n;
    }
    return (double)done / (hst_now_s() - began);
}

int main(int argc, char **argv)
{
    hst_err err = {0};
    const int threads = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 0;
    const double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
    if (threads < 1 || threads > MAX_THREADS || seconds <= 0) {
        fprintf(stderr, "usage: bench_decode THREADS SECONDS FILE...\n");
        return 2;
    }
    char *program = hst_helper_find(HST_DECODE_HELPER, HST_DECODE_IN_BUILD, &err);
    hst_decoders *d = program ? hst_decoders_new(program, &err) : NULL;
    if (codec_of(HST_FORMAT_TIFF) && codec_of(HST_FORMAT_TIFF)->prepare)
        codec_of(HST_FORMAT_TIFF)->prepare();
    for (int f = 3; f < argc && d; f++) {
        bench in = {0}, by = {0};
        double own = 0, helper = 0;
        if (hst_file_read(argv[f], HST_IMAGE_MAX_BYTES, HST_EIMAGE, &in.bytes, &in.n, &err)) {
            fprintf(stderr, "%s: %s\n", argv[f], err.msg);
            return 1;
        }
        in.d = d;
        if (through(&in, &err)) {
            fprintf(stderr, "%s: %s\n", argv[f], err.msg);
            return 1;
        }
        by = in;
        in.d = NULL;
        for (int turn = 0; turn < TURNS; turn++) {
            own += measure(&in, threads, seconds / TURNS) / TURNS;
            helper += measure(&by, threads, seconds / TURNS) / TURNS;
        }
        printf("%s: %.1f inside, %.1f through the helper, %.2f\n", argv[f], own, helper,
               helper / own);
        free(in.bytes);
    }
    hst_decoders_free(d);
    free(program);
    return d ? 0 : 1;
}
