/* report: what a training holds in memory of each photo, until its folder is written. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "training/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLASSES = 2, PICTURES = 20, FEW = 1000, MANY = 13000 };

/* Bytes that a photo may take: its path (40) and its row of each table. It takes between 100 and
 * 200; with a few lists of all photos for the report, of 24 to 48 bytes a photo, more than 400.
 * Features, what is remembered of pixels and evaluations are in files. */
enum { BYTES_A_PHOTO = 300 };

/* Whole pages, and what does not depend on the photos' number. */
enum { BESIDE = 2 << 20 };

static void link_photos(const char *dir, int n)
{
    char from[4096], to[4096];
    for (int i = 0; i < n; i++) {
        const int c = i % CLASSES, k = i / CLASSES % PICTURES;
        snprintf(from, sizeof from, "%s/%c/%d.png", dir, 'a' + c, k);
        snprintf(to, sizeof to, "%s/%c/copy%06d.png", dir, 'a' + c, i);
        assert_int_equal(link(from, to), 0);
    }
}

/* Bytes of this process that RLIMIT_DATA counts; 0: not known. */
static size_t data_bytes(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmData: %zu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib << 10;
}

/* Data, training, and its folder. */
static int train(hst_ctx *ctx, const hst_backbone *b, const char *dir, const char *out)
{
    hst_err e = {0};
    hst_run *run = NULL;
    hst_data *d = hst_data_open(ctx, dir, NULL, &e);
    hst_model *m = d ? hst_train(ctx, b, d, NULL, &run, &e) : NULL;
    const int rc = m ? hst_run_save(run, m, out, &e) : e.code;
    if (rc)
        print_message("%s\n", e.msg);
    hst_run_free(run);
    hst_model_free(m);
    hst_data_free(d);
    return rc;
}

/* In a process of its own, which may take so many bytes a photo: 0, or that it had too few. */
static int train_within(const char *few, const char *many, const char *cache, size_t bytes)
{
    hst_err e = {0};
    char out[4096];
    hst_config cfg = hst_config_default();
    cfg.threads = 1;
    cfg.offline = 1;
    cfg.cache_dir = cache;
    snprintf(out, sizeof out, "%s/run", cache);
    hst_ctx *ctx = hst_open(&cfg, &e);
    check_ok(!ctx, &e);
    ctx->spill_from = 1; /* as for the photos of which there are a thousand times as many */
    hst_backbone *b = made_up_backbone(ctx, 1);
    if (train(ctx, b, few, out))
        return 1;
    const size_t most = data_bytes() + BESIDE + bytes * (MANY - FEW);
    if (setrlimit(RLIMIT_DATA, &(struct rlimit){most, most}))
        return 1;
    return train(ctx, b, many, out) ? 2 : 0;
}

static void memory_of_a_photo_is_bounded(void **state)
{
    (void)state;
    if (!HST_LIMIT_MEMORY || data_bytes() == 0) {
        print_message("skipped: memory cannot be limited here\n");
        skip();
    }
    char *few = temporary_folder(), *many = temporary_folder(), *cache = temporary_folder();
    made_up_photos(few, CLASSES, PICTURES, 40, 40);
    made_up_photos(many, CLASSES, PICTURES, 40, 40);
    link_photos(few, FEW);
    link_photos(many, MANY);
    const pid_t pid = fork();
    int status;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(train_within(few, many, cache, BYTES_A_PHOTO));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    remove_tree(few);
    remove_tree(many);
    remove_tree(cache);
    free(few);
    free(many);
    free(cache);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_of_a_photo_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
