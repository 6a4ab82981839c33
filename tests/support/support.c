#include "support.h"

#include <ftw.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* GCC's name for it, and Clang's. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

/* root/folder/relative, to be freed, when it can be read; else NULL. */
static char *readable(const char *root, const char *folder, const char *relative)
{
    char *path = NULL;
    if (!root || asprintf(&path, "%s/%s%s", root, folder, relative) < 0)
        return NULL;
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *shared_path(const char *relative)
{
    const char *in_golden = relative + (strncmp(relative, "golden/", 7) == 0 ? 7 : 0);
    char *own = readable(getenv("HEADSTART_ROOT"), "tests/golden/", in_golden);
    return own ? own : readable(getenv("HEADSTART_SHARED"), "", relative);
}

void skip_shared(const char *relative)
{
    print_message("skipped: reference file %s is not here\n", relative);
    skip();
}

void need_part(const char *name)
{
    const char *part;
    int is_here = 0;
    for (int i = 0; (part = hst_build_part(i, NULL, &is_here)) && strcmp(part, name) != 0;)
        i++;
    assert_non_null(part);
    if (!is_here) {
        print_message("skipped: this build is without %s\n", name);
        skip();
    }
}

void skip_where_a_missing_program_starts(void)
{
    pid_t pid;
    char *const argv[] = {"/nonexistent/program", NULL}, *const environment[] = {NULL};
    if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environment) != 0)
        return;
    waitpid(pid, NULL, 0);
    print_message("skipped: posix_spawn() does not say here that a program is missing\n");
    skip();
}

void skip_where_threads_are_watched(void)
{
    if (THREAD_SANITIZER) {
        print_message("skipped: ThreadSanitizer cannot follow threads of a forked child\n");
        skip();
    }
}

char *temporary_folder(void)
{
    const char *root = getenv("TMPDIR");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/headstart-test-XXXXXX", root && *root ? root : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The shape tuple of a header like {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } */
static void parse_header(const char *header, npy *a)
{
    const char *descr = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
    assert_non_null(descr);
    assert_non_null(shape);
    assert_non_null(strstr(header, "'fortran_order': False"));
    assert_int_equal(sscanf(descr, "'descr': '%7[^']'", a->type), 1);
    a->count = 1;
    for (const char *s = shape + 10; *s != ')' && a->n_dims < 4;) {
        char *end;
        a->dim[a->n_dims] = strtoul(s, &end, 10);
        a->count *= a->dim[a->n_dims++];
        for (s = end; *s == ',' || *s == ' '; s++)
            ;
    }
}

npy npy_read(const char *path)
{
    npy a = {0};
    unsigned char head[10];
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be opened", path);
    assert_int_equal(fread(head, 1, 10, f), 10);
    assert_memory_equal(head, "\x93NUMPY\x01", 7);
    size_t n = head[8] | (size_t)head[9] << 8;
    char *header = calloc(1, n + 1);
    assert_int_equal(fread(header, 1, n, f), n);
    parse_header(header, &a);
    free(header);
    size_t bytes = a.count * (size_t)atoi(a.type + 2);
    a.data = malloc(bytes ? bytes : 1);
    assert_int_equal(fread(a.data, 1, bytes, f), bytes);
    fclose(f);
    return a;
}

static void compare(double got, double want, size_t i, double atol, double rtol, const char *what)
{
    if (!(fabs(got - want) <= atol + rtol * fabs(want)))
        fail_msg("%s[%zu]: got %.9g, want %.9g (atol %g, rtol %g)", what, i, got, want, atol, rtol);
}

double largest_of(const float *v, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    return most;
}

void check_close(const float *got, const float *want, size_t n, double atol, double rtol,
                 const char *what)
{
    for (size_t i = 0; i < n; i++)
        compare(got[i], want[i], i, atol, rtol, what);
}

void check_close_f64(const float *got, const double *want, size_t n, double atol, double rtol,
                     const char *what)
{
    for (size_t i = 0; i < n; i++)
        compare(got[i], want[i], i, atol, rtol, what);
}
