/* near_copies.c - the time that near copies take to be looked for, of made-up pictures:
 *
 *   near_copies N [all]        all: all pairs are looked at, however many
 *
 * One thread. A picture is a sum of cosines, up and across: amplitudes fall with the frequency as
 * those of photos do, and the even ones up to 8 have a common part, as photos have their object in
 * the middle. Of pairs 2.4 in 100 differ in few bits of the hash and 0.2 in 100 are laid over each
 * other; of 1,313 photos of flowers and clothing 1.6 and 0.7. */
#include "inspection/near.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FREQUENCIES = 12, SHARED = 8 };
static const double common = 0.6, contrast = 50;

static double draw(uint64_t *seed)
{
    double sum = 0; /* of four: nearly normal */
    for (int i = 0; i < 4; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*seed >> 40) / (1 << 24) - 0.5;
    }
    return sum * sqrt(3);
}

static void make_up(double cosine[FREQUENCIES][HST_THUMB_PX], uint64_t seed, uint8_t *thumb)
{
    double rows[FREQUENCIES][HST_THUMB_PX] = {{0}}, light[HST_THUMB_PX * HST_THUMB_PX], squares = 0;
    for (int v = 0; v < FREQUENCIES; v++)
        for (int u = 0; u < FREQUENCIES; u++) {
            const double r = hypot(u, v), sign = (u * 5 + v * 3) % 7 < 3 ? -1 : 1;
            const double shared = u % 2 == 0 && r < SHARED ? common * sign : 0;
            const double a = u + v ? (draw(&seed) + shared) / r : 0;
            for (int x = 0; x < HST_THUMB_PX; x++)
                rows[v][x] += a * cosine[u][x];
        }
    for (int y = 0; y < HST_THUMB_PX; y++)
        for (int x = 0; x < HST_THUMB_PX; x++) {
            double sum = 0;
            for (int v = 0; v < FREQUENCIES; v++)
                sum += rows[v][x] * cosine[v][y];
            light[y * HST_THUMB_PX + x] = sum;
            squares += sum * sum;
        }
    const double scale = contrast / sqrt(squares / (HST_THUMB_PX * HST_THUMB_PX));
    for (int i = 0; i < HST_THUMB_PX * HST_THUMB_PX; i++)
        thumb[i] = (uint8_t)fmin(255, fmax(0, 128 + light[i] * scale));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    const size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    const int all = argc > 2 && strcmp(argv[2], "all") == 0;
    hst_picture *p = n ? calloc(n, sizeof *p) : NULL;
    double cosine[FREQUENCIES][HST_THUMB_PX];
    hst_near near = {0};
    hst_err err = {0};
    if (!p) {
        fputs("usage: near_copies N [all]\n", stderr);
        return 2;
    }
    for (int f = 0; f < FREQUENCIES; f++)
        for (int i = 0; i < HST_THUMB_PX; i++)
            cosine[f][i] = cos(acos(-1) * f * (i + 0.5) / HST_THUMB_PX);
    for (size_t i = 0; i < n; i++) {
        p[i].pixels = i + 1;
        make_up(cosine, i * 0x9e3779b97f4a7c15u, p[i].thumb);
    }
    const double begin = seconds();
    if (hst_near_search(NULL, &(hst_near_among){p, NULL, n, all ? n : HST_NEAR_ALL_PAIRS}, &near,
                        &err)) {
        fprintf(stderr, "near_copies: %s\n", err.msg);
        return 1;
    }
    printf("%zu pictures, %s: %.1f s of one processor, %zu pairs\n", n,
           near.n_indexed ? "index" : "all pairs", seconds() - begin, near.n_pairs);
    hst_near_clear(&near);
    free(p);
    return 0;
}
