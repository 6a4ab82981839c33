/* fuzz_decode - any bytes through headstart-decode: whatever becomes of the helper, this process
 * goes on and has pixels or a reason. */
#include "fuzz.h"

#include "images/decoders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOW_S = 100 };

static hst_decoders *decoders;
static unsigned long decoded, refused, died;

static void finish(void)
{
    hst_decoders_free(decoders);
    fprintf(stderr, "%lu decoded, %lu refused, %lu helpers died\n", decoded, refused, died);
}

static void begin(void)
{
    const char *program = getenv("HEADSTART_DECODER");
    hst_err e;
    decoders = program ? hst_decoders_new(program, &e) : NULL;
    if (!decoders) {
        fprintf(stderr, "HEADSTART_DECODER is not set\n");
        exit(2);
    }
    hst_decoders_limit(decoders, SLOW_S);
    atexit(finish);
}

/* A helper that does not start, hangs, or ends in order (as a sanitizer ends it) is a fault; one
 * that the system ended is not. */
static void judge(const char *why)
{
    static const char *const faults[] = {"is missing", "is not the decoding helper", "helper ended",
                                         "cannot be started", "cannot be"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strstr(why, faults[i]) && !strstr(why, "damaged")) {
            fprintf(stderr, "%s\n", why);
            __builtin_trap();
        }
    if (strstr(why, "100 seconds"))
        __builtin_trap();
    died += strstr(why, "reading it") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    hst_err e = {0};
    hst_image img = {0};
    if (!decoders)
        begin();
    /* one of two ways for deep gray, which follows from the bytes */
    const enum hst_resampler way = n && bytes[n / 2] % 2 ? HST_RESAMPLE_SCALED : HST_RESAMPLE_PIL;
    const int rc = hst_image_decode(&(hst_decode){way, 0, decoders}, bytes, n, &img, &e);
    if ((rc != 0) != (e.msg[0] != 0) || (rc == 0 && (img.w < 1 || img.h < 1)))
        __builtin_trap();
    if (rc)
        judge(e.msg);
    decoded += rc == 0;
    refused += rc != 0;
    hst_image_clear(&img);
    return 0;
}
