/* mutants - damaged copies of files through a fuzzing entry point: mutants KIND N FILE...
 *
 * N copies of each, with one to eight changes of the kinds that break parsers: mostly of the
 * format's own fields (mutate.h), else of any bytes; of some the end is cut off. Always the same
 * ones. A copy that takes over two seconds of processor time ends the program by SIGPROF. */
#include "fuzz.h"
#include "mutate.h"

#include "base/file.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { MAX_BYTES = 1 << 20, ROOM = 1 << 16, LIMIT_S = 2 };

/* What a target takes. Of a folder (folder.h) the first file is changed, mostly. */
typedef struct kind {
    const char *name, *begin; /* "": any */
    mutator *change;
    unsigned n_files; /* 0: no folder */
    mutator *others;  /* of a folder's second file */
} kind;
static const kind kinds[] = {{"archive", "PK", mutate_zip, 0, NULL},
                             {"archive", "", mutate_bytes, 0, NULL},
                             {"decode", "", mutate_picture, 0, NULL},
                             {"keras", "PK", mutate_zip, 0, NULL},
                             {"keras", "", mutate_hdf5, 0, NULL},
                             {"onnx", "", mutate_protobuf, 0, NULL},
                             {"pth", "PK", mutate_zip, 0, NULL},
                             {"pth", "", mutate_pickle, 0, NULL},
                             {"safetensors", "", mutate_safetensors, 0, NULL},
                             {"savedmodel", "", mutate_protobuf, 3, mutate_bytes},
                             {"sharded", "", mutate_json, 3, mutate_safetensors},
                             {"tfjs", "", mutate_json, 2, mutate_bytes},
                             {"tflite", "", mutate_flatbuffer, 0, NULL}};

static const kind *find(const char *name, const uint8_t *seed, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t begin = strlen(kinds[i].begin);
        if (strcmp(kinds[i].name, name) == 0 && begin <= n &&
            memcmp(seed, kinds[i].begin, begin) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* Three of four changes know the format, one is any bytes. */
static void change(mutant *m, const kind *k)
{
    if (mutate_below(m, 4) == 0)
        mutate_bytes(m);
    else if (k->n_files == 0)
        k->change(m);
    else if (mutate_below(m, 4))
        mutate_file(m, 0, k->n_files, k->change);
    else
        mutate_file(m, 1, k->n_files, k->others);
}

static void run_mutant(const kind *k, const uint8_t *seed, size_t n, uint32_t i)
{
    hst_rng r = hst_rng_new(1, HST_RNG_SHUFFLE, i, 0);
    mutant m = {.n = n, .room = n + ROOM, .r = &r};
    m.p = malloc(m.room);
    if (!m.p)
        abort();
    memcpy(m.p, seed, n);
    for (uint32_t changes = 1 + mutate_below(&m, 8); changes > 0; changes--)
        change(&m, k);
    if (mutate_below(&m, 16) == 0)
        m.n = mutate_below(&m, m.n);
    uint8_t *exact = malloc(m.n + !m.n); /* so that sanitizers see any overrun */
    if (!exact)
        abort();
    memcpy(exact, m.p, m.n);
    free(m.p);
    const struct itimerval limit = {.it_value = {.tv_sec = LIMIT_S}}, none = {{0}};
    setitimer(ITIMER_PROF, &limit, NULL);
    LLVMFuzzerTestOneInput(exact, m.n);
    setitimer(ITIMER_PROF, &none, NULL);
    free(exact);
}

int main(int argc, char **argv)
{
    unsigned long many = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (many == 0 || many > 100000000) {
        fprintf(stderr, "usage: mutants KIND N FILE...\n");
        return 2;
    }
    for (int f = 3; f < argc; f++) {
        hst_err err = {0};
        uint8_t *seed = NULL;
        size_t n = 0;
        if (hst_file_read(argv[f], MAX_BYTES, HST_EMODEL, &seed, &n, &err) || n == 0) {
            fprintf(stderr, "%s: %s\n", argv[f], err.msg);
            return 1;
        }
        const kind *k = find(argv[1], seed, n);
        if (!k) {
            fprintf(stderr, "%s: nobody knows how to change that\n", argv[1]);
            return 2;
        }
        for (uint32_t i = 0; i < many; i++)
            run_mutant(k, seed, n, i);
        free(seed);
        printf("%s: %lu mutants\n", argv[f], many);
    }
    return 0;
}
