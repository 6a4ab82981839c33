/* folder.h - bytes as the files of a folder: for each but the last a u32 with its length, then the
 * files one behind another; lengths that are too long are cut. */
#ifndef HST_TESTS_FUZZ_FOLDER_H
#define HST_TESTS_FUZZ_FOLDER_H
#include "bytes.h"
#include "convert.h"

enum { FUZZ_MAX_FILES = 4 };

/* names: NULL-ended. Each file lies in a block of exactly its length. */
static inline void fuzz_folder(int (*read)(weights *w, hst_source *s, hst_err *err),
                               void (*repair)(hst_source *s), char *const *names, const uint8_t *in,
                               size_t n)
{
    hst_source_file file[FUZZ_MAX_FILES] = {{0}};
    hst_source s = {.file = file, .is_folder = 1};
    weights w;
    hst_err err = {0};
    char digest[65];
    while (names[s.n])
        s.n++;
    size_t at = 4 * (s.n - 1);
    if (n < at)
        return;
    for (size_t i = 0; i < s.n; i++) {
        size_t want = i + 1 < s.n ? le32(in + 4 * i) : n - at;
        want = want < n - at ? want : n - at;
        file[i] = (hst_source_file){.name = names[i], .fd = -1, .n_bytes = want};
        file[i].data = malloc(want ? want : 1);
        if (!file[i].data)
            __builtin_trap();
        memcpy(file[i].data, in + at, want);
        at += want;
    }
    if (repair)
        repair(&s);
    if (weights_begin(&w, &err))
        __builtin_trap();
    int rc = read(&w, &s, &err);
    weights_sort(&w);
    if (rc == 0 && hst_tensors_digest(w.t, w.n, NULL, 0, NULL, digest, &err))
        __builtin_trap();
    if (rc && rc != HST_EMODEL)
        __builtin_trap();
    weights_end(&w);
    for (size_t i = 0; i < s.n; i++)
        free(file[i].data);
}
#endif
