/* headstart-decode - pictures of formats with large decoders to pixels, behind a sandbox.
 *
 *   headstart-decode PIXELS
 *
 * Started by the library alone, with the descriptors of images/decode_protocol.h; PIXELS is how
 * many a picture may have. It answers one picture after the other until its socket is closed. */
#include "codec.h"
#include "images/decode_protocol.h"
#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Address space besides the two memories: the libraries themselves and the threads that they start,
 * and of each pixel the decoders' own forms: 4 channels of 4 bytes, about four times over. */
enum { BASE_MIB = 1024, BYTES_A_PIXEL = 64 };

typedef struct memories {
    const uint8_t *bytes;
    uint8_t *rgb;
    uint64_t max_pixels;
} memories;

static int transfer(ssize_t (*how)(int, void *, size_t), void *p, size_t n)
{
    char *at = p;
    while (n) {
        const ssize_t done = how(HST_DECODE_SOCKET, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return 0;
        at += done;
        n -= (size_t)done;
    }
    return 1;
}

static ssize_t put(int fd, void *p, size_t n)
{
    return write(fd, p, n);
}

static int map(memories *m)
{
    void *bytes = mmap(NULL, HST_IMAGE_MAX_BYTES, PROT_READ, MAP_SHARED, HST_DECODE_BYTES, 0);
    void *rgb = mmap(NULL, (size_t)m->max_pixels * 3, PROT_READ | PROT_WRITE, MAP_SHARED,
                     HST_DECODE_PIXELS, 0);
    close(HST_DECODE_BYTES);
    close(HST_DECODE_PIXELS);
    m->bytes = bytes;
    m->rgb = rgb;
    return bytes != MAP_FAILED && rgb != MAP_FAILED;
}

static int greet(unsigned parts)
{
    hst_decode_hello hello = {.who = HST_DECODE_WHO};
    sandbox_names(parts, hello.sandbox, sizeof hello.sandbox);
    for (int f = 0; f < HST_FORMATS; f++)
        if (codec_of((enum hst_format)f))
            codec_of((enum hst_format)f)->version(hello.library[f], sizeof hello.library[f]);
    return transfer(put, &hello, sizeof hello);
}

static unsigned shut_in(const memories *m)
{
    const uint64_t memory =
        ((uint64_t)BASE_MIB << 20) + HST_IMAGE_MAX_BYTES + m->max_pixels * (BYTES_A_PIXEL + 3);
    return sandbox_enter(&(sandbox_limits){.memory_bytes = HST_LIMIT_MEMORY ? memory : 0,
                                           .cpu_s = HST_DECODE_LIMIT_S,
                                           .may_thread = 1});
}

static double spent_s(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void answer(const memories *m, const hst_decode_ask *ask, hst_decode_answer *a)
{
    hst_err err = {0};
    canvas c = {.rgb = m->rgb,
                .room = m->max_pixels * 3,
                .orientation = 1,
                .scales_gray = ask->scales_gray == 1};
    const codec *reader = ask->format < HST_FORMATS ? codec_of((enum hst_format)ask->format) : NULL;
    int rc = HST_EIMAGE;
    if (!reader || ask->n > HST_IMAGE_MAX_BYTES)
        hst_fail(&err, rc, "the decoding helper does not read this");
    else
        rc = reader->read(m->bytes, (size_t)ask->n, &c, &err);
    *a = (hst_decode_answer){.status = HST_DECODE_DONE,
                             .w = (uint32_t)c.w,
                             .h = (uint32_t)c.h,
                             .orientation = (uint32_t)c.orientation};
    if (rc)
        a->status = c.too_large ? HST_DECODE_TOO_LARGE : HST_DECODE_REFUSED;
    if (rc)
        snprintf(a->why, sizeof a->why, "%.*s", (int)sizeof a->why - 1, err.msg);
    a->ends = spent_s() > HST_DECODE_RETIRE_S;
}

static int serve(const memories *m)
{
    hst_decode_ask ask;
    hst_decode_answer a;
    while (transfer(read, &ask, sizeof ask)) {
        answer(m, &ask, &a);
        if (!transfer(put, &a, sizeof a) || a.ends)
            return 0;
    }
    return 0;
}

int main(int argc, char **argv)
{
    memories m = {.max_pixels = argc == 2 ? strtoull(argv[1], NULL, 10) : 0};
    if (m.max_pixels == 0 || m.max_pixels > HST_IMAGE_MAX_PIXELS) {
        dprintf(2, "headstart-decode: started by headstart alone\n");
        return 2;
    }
    sandbox_close_from(HST_DECODE_PIXELS + 1);
    if (!map(&m))
        return 2;
    for (int f = 0; f < HST_FORMATS; f++)
        if (codec_of((enum hst_format)f) && codec_of((enum hst_format)f)->prepare)
            codec_of((enum hst_format)f)->prepare();
    if (!greet(shut_in(&m)))
        return 1;
    _exit(serve(&m)); /* the libraries' own clearing up is no more code to trust */
}
