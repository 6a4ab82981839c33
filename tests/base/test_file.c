/* base/file.h: the rights of a written file, and what is said without memory. */
#include "support.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In place of the C library's, also for the library under test. */
static int umask_calls;
mode_t umask(mode_t mask)
{
    umask_calls++;
    return (mode_t)syscall(SYS_umask, mask);
}

static unsigned rights(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void a_written_file_has_the_rights_of_any_new_file(void **state)
{
    (void)state;
    static const mode_t masks[] = {022, 027, 077, 0};
    hst_err e = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x", &e);
    mode_t before = umask(0);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        umask(masks[i]);
        int rc = hst_file_write(path, "x", 1, &e);
        umask(before);
        check_ok(rc, &e);
        assert_int_equal(rights(path), 0666 & ~masks[i]);
    }
    remove_tree(dir);
    free(path);
    free(dir);
}

/* The file-creation mask is the whole process': changed for a moment, another thread's file has
 * the wrong rights. */
static void writing_never_touches_the_umask(void **state)
{
    (void)state;
    hst_err e = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x", &e);
    umask_calls = 0;
    check_ok(hst_file_write(path, "x", 1, &e), &e);
    assert_int_equal(umask_calls, 0);
    remove_tree(dir);
    free(path);
    free(dir);
}

enum { UNLIMITED = 77 };

/* In a child without a byte of memory left: 0 when the code that is returned and the one in err are
 * both that of it. */
static int write_without_memory(const char *path)
{
    hst_err e = {0};
    if (setrlimit(RLIMIT_AS, &(struct rlimit){0}) != 0)
        return 1;
    void *volatile large = malloc((size_t)1 << 30); /* a compiler may not leave it out */
    if (large)
        return UNLIMITED;
    for (size_t n = 1 << 20; n; n /= 2)
        while (malloc(n))
            continue;
    int rc = hst_file_write(path, "x", 1, &e);
    return rc != HST_EMEM || e.code != HST_EMEM;
}

static void without_memory_the_code_is_that_of_the_error(void **state)
{
    (void)state;
    if (!HST_LIMIT_MEMORY) {
        print_message("skipped: a sanitizer needs memory of its own\n");
        skip();
    }
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(write_without_memory("/tmp/headstart-test-file"));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == UNLIMITED) {
        print_message("skipped: memory is not limited here (RLIMIT_AS)\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The reason is that of making it, not of looking whether it is there. */
static void a_folder_that_may_not_be_made_says_why(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    hst_err err = {0};
    char *dir = temporary_folder(), *inside = hst_path_join(dir, "a/b", &err);
    assert_int_equal(chmod(dir, 0555), 0);
    const int root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    const int rc = hst_mkdirs(inside, &err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(rc, HST_EIO);
    assert_non_null(strstr(err.msg, "Permission denied"));
    assert_int_equal(chmod(dir, 0755), 0);
    remove_tree(dir);
    free(inside);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_file_has_the_rights_of_any_new_file),
        cmocka_unit_test(writing_never_touches_the_umask),
        cmocka_unit_test(a_folder_that_may_not_be_made_says_why),
        cmocka_unit_test(without_memory_the_code_is_that_of_the_error),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
