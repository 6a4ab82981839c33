/* Folders for unfinished files: what a killed process leaves is found, what is in use is not. */
#include "support.h"

#include "base/file.h"
#include "formats/workdir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *dir, const char *name, size_t n)
{
    hst_err err = {0};
    static const char zeros[100];
    char *path = hst_path_join(dir, name, &err);
    assert_non_null(path);
    check_ok(hst_file_write(path, zeros, n, &err), &err);
    free(path);
}

static void killed_ones_are_swept(void **state)
{
    (void)state;
    hst_err err = {0};
    int ready[2];
    char *dir = temporary_folder(), *beside = hst_path_join(dir, "x.safetensors", &err), byte;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        hst_workdir w;
        char inside[4096];
        if (hst_workdir_begin(&w, beside, &err))
            _exit(1);
        snprintf(inside, sizeof inside, "%s/deep", w.path);
        mkdir(inside, 0700);
        put(inside, "out", 70);
        put(w.path, "other", 30);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(hst_workdir_sweep(dir), 0); /* it is at work */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    hst_workdir mine;
    check_ok(hst_workdir_begin(&mine, beside, &err), &err);
    put(mine.path, "out", 50);
    put(dir, "x.safetensors", 10);
    put(dir, "x.abcdef", 10); /* no folder */
    assert_int_equal(hst_workdir_sweep(dir), 100);
    assert_true(hst_is_dir(mine.path));
    hst_workdir_end(&mine);
    assert_int_equal(hst_workdir_sweep(dir), 0);
    assert_true(hst_is_file(beside));
    close(ready[0]);
    close(ready[1]);
    remove_tree(dir);
    free(beside);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_ones_are_swept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
