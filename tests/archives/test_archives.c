/* Archives read in place: members of every kind of archive, names, and what is refused. */
#include "support.h"

#include "archives/archives.h"
#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct place {
    hst_ctx ctx;
    char *dir, *cache;
} place;

static int begin(void **state)
{
    hst_err err = {0};
    place *p = calloc(1, sizeof *p);
    p->dir = temporary_folder();
    p->cache = hst_path_join(p->dir, "cache", &err);
    p->ctx = (hst_ctx){.cache_dir = p->cache, .archives = hst_archives_new(&err)};
    *state = p;
    return !p->ctx.archives;
}

static int end(void **state)
{
    place *p = *state;
    hst_archives_free(p->ctx.archives);
    remove_tree(p->dir);
    free(p->dir);
    free(p->cache);
    free(p);
    return 0;
}

static char *path_in(const place *p, const char *name)
{
    hst_err err = {0};
    char *path = hst_path_join(p->dir, name, &err);
    assert_non_null(path);
    return path;
}

/* ---- archives to read ---- */

typedef int set_up(struct archive *a);

static int zip_stored(struct archive *a)
{
    return archive_write_set_format_zip(a) || archive_write_zip_set_compression_store(a);
}

static int zip_deflated(struct archive *a)
{
    return archive_write_set_format_zip(a) || archive_write_zip_set_compression_deflate(a);
}

static int zip64(struct archive *a)
{
    return zip_deflated(a) || archive_write_set_options(a, "zip:zip64");
}

static int zip_encrypted(struct archive *a)
{
    return zip_stored(a) || archive_write_set_options(a, "zip:encryption=zipcrypt") ||
           archive_write_set_passphrase(a, "secret");
}

static int tar_ustar(struct archive *a)
{
    return archive_write_set_format_ustar(a);
}

static int tar_gnu(struct archive *a)
{
    return archive_write_set_format_gnutar(a);
}

static int tar_pax(struct archive *a)
{
    return archive_write_set_format_pax(a);
}

static int tar_gz(struct archive *a)
{
    return tar_gnu(a) || archive_write_add_filter_gzip(a);
}

static int tar_zst(struct archive *a)
{
    return tar_gnu(a) || archive_write_add_filter_zstd(a);
}

static int tar_xz(struct archive *a)
{
    return tar_gnu(a) || archive_write_add_filter_xz(a);
}

static int tar_bz2(struct archive *a)
{
    return tar_gnu(a) || archive_write_add_filter_bzip2(a);
}

static struct archive *start(const char *path, set_up *set)
{
    struct archive *a = archive_write_new();
    assert_int_equal(set(a), 0);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    return a;
}

static void put(struct archive *a, const char *name, const void *bytes, size_t n)
{
    struct archive_entry *e = archive_entry_new();
    const size_t length = strlen(name);
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, name[length - 1] == '/' ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)n);
    /* a warning: a name that is no ASCII, which is written as it is */
    assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
    assert_int_equal(archive_write_data(a, bytes, n), (la_ssize_t)n);
    archive_entry_free(e);
}

static void finish(struct archive *a)
{
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

/* Content that deflate makes smaller, another for each number. */
static void fill(uint8_t *bytes, size_t n, unsigned number)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * number >> 3);
}

enum { MEMBERS = 40, LARGEST = 70000 };
static size_t size_of(unsigned number)
{
    return number == 7 ? 0 : number * (LARGEST / MEMBERS) + number % 3;
}

static const char long_name[] =
    "a folder with a name that is long/and another one inside it, whose name is longer than what "
    "the first kind of tar had room for/photo.jpg";

static void write_all(const char *path, set_up *set)
{
    static uint8_t bytes[LARGEST + 16];
    char name[32];
    struct archive *a = start(path, set);
    put(a, "empty/", "", 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        snprintf(name, sizeof name, "%s/%u.jpg", i % 2 ? "dog" : "cat", i);
        fill(bytes, size_of(i), i);
        put(a, name, bytes, size_of(i));
    }
    put(a, long_name, "long", 4);
    finish(a);
}

/* ---- reading ---- */

static void check_member(const place *p, const char *archive, const char *name, const void *want,
                         size_t n_want)
{
    hst_err err = {0};
    const hst_archive *a;
    const hst_member *m;
    char *path;
    uint8_t *bytes;
    size_t n;
    assert_true(asprintf(&path, "%s/%s", archive, name) > 0);
    const int rc = hst_archive_resolve(&p->ctx, path, &a, &m, &err);
    if (rc != 1)
        fail_msg("%s: %d: %s", path, rc, err.msg);
    check_ok(hst_archive_read(a, m, &(hst_member_read){.max = 1 << 20, .code = HST_EIMAGE}, &bytes,
                              &n, &err),
             &err);
    assert_int_equal(n, n_want);
    assert_memory_equal(bytes, want, n);
    free(bytes);
    const hst_member_read first = {.max = 8, .part = 1, .code = HST_EIMAGE};
    check_ok(hst_archive_read(a, m, &first, &bytes, &n, &err), &err);
    assert_int_equal(n, n_want < 8 ? n_want : 8);
    assert_memory_equal(bytes, want, n);
    free(bytes);
    free(path);
}

static void check_all(const place *p, const char *file, set_up *set)
{
    static uint8_t want[LARGEST + 16];
    hst_err err = {0};
    char name[32], *path = path_in(p, file);
    const hst_archive *a;
    size_t n;
    write_all(path, set);
    assert_true(hst_archive_is(path));
    check_ok(hst_archive_open(&p->ctx, path, &a, &err), &err);
    const hst_member *m = hst_archive_members(a, &n);
    assert_int_equal(n, MEMBERS + 2);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(m[i - 1].name, m[i].name) < 0);
    const hst_member *folder = hst_archive_find(a, "empty");
    assert_true(folder && folder->is_folder);
    for (unsigned i = 0; i < MEMBERS; i++) {
        snprintf(name, sizeof name, "%s/%u.jpg", i % 2 ? "dog" : "cat", i);
        fill(want, size_of(i), i);
        check_member(p, path, name, want, size_of(i));
    }
    check_member(p, path, long_name, "long", 4);
    free(path);
}

static void reads_zips(void **state)
{
    check_all(*state, "stored.zip", zip_stored);
    check_all(*state, "deflated.zip", zip_deflated);
    check_all(*state, "large.zip", zip64);
}

static void reads_tars(void **state)
{
    check_all(*state, "a.tar", tar_ustar);
    check_all(*state, "b.tar", tar_gnu);
    check_all(*state, "c.tar", tar_pax);
}

static void reads_compressed_tars(void **state)
{
    const place *p = *state;
    check_all(p, "a.tar.gz", tar_gz);
    check_all(p, "a.tar.zst", tar_zst);
    check_all(p, "a.tar.xz", tar_xz);
    check_all(p, "a.tar.bz2", tar_bz2);
    /* what they were unpacked into has no name */
    char *command;
    assert_true(asprintf(&command, "test -z \"$(ls -A '%s')\"", p->cache) > 0);
    assert_int_equal(system(command), 0);
    free(command);
}

/* A path that is no archive's is nobody's; one of a member that is not there says so. */
static void finds_the_archive_in_a_path(void **state)
{
    const place *p = *state;
    hst_err err = {0};
    const hst_archive *a, *b;
    const hst_member *m;
    char *path = path_in(p, "x.tar"), *through;
    write_all(path, tar_ustar);
    check_ok(hst_archive_open(&p->ctx, path, &a, &err), &err);
    check_ok(hst_archive_open(&p->ctx, path, &b, &err), &err);
    assert_ptr_equal(a, b);
    assert_int_equal(hst_archive_resolve(&p->ctx, path, &a, &m, &err), 0);
    assert_true(asprintf(&through, "%s//cat/none.jpg", path) > 0);
    assert_int_equal(hst_archive_resolve(&p->ctx, through, &a, &m, &err), HST_EDATA);
    assert_non_null(strstr(err.msg, "there is no 'cat/none.jpg' in "));
    free(through);
    free(path);
}

/* Another archive under the same name is opened anew. */
static void notices_another_archive(void **state)
{
    const place *p = *state;
    char *path = path_in(p, "same.zip");
    for (int i = 0; i < 2; i++) {
        struct archive *a = start(path, zip_stored);
        put(a, "a.jpg", i ? "second one" : "first", i ? 10 : 5);
        finish(a);
        check_member(p, path, "a.jpg", i ? "second one" : "first", i ? 10 : 5);
    }
    free(path);
}

static void names_are_resolved(void **state)
{
    const place *p = *state;
    static const char *const names[][2] = {
        {"/etc/a.jpg", "etc/a.jpg"},
        {"../../up.jpg", "up.jpg"},
        {"./cat//./b.jpg", "cat/b.jpg"},
        {"cat/../dog/c.jpg", "dog/c.jpg"},
        {"wei\xc3\x9f/\xc3\xa4.jpg", "wei\xc3\x9f/\xc3\xa4.jpg"}};
    set_up *const sets[] = {zip_stored, tar_ustar, tar_gnu, tar_pax};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        char file[32];
        snprintf(file, sizeof file, "names%zu", s);
        char *path = path_in(p, file);
        struct archive *a = start(path, sets[s]);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            put(a, names[i][0], names[i][1], strlen(names[i][1]));
        finish(a);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            check_member(p, path, names[i][1], names[i][1], strlen(names[i][1]));
        free(path);
    }
}

/* Of two members of one name the later one is what unpacking would leave. */
static void the_last_of_a_name_counts(void **state)
{
    const place *p = *state;
    char *path = path_in(p, "twice.tar");
    struct archive *a = start(path, tar_ustar);
    put(a, "a.jpg", "old", 3);
    put(a, "a.jpg", "newer", 5);
    finish(a);
    check_member(p, path, "a.jpg", "newer", 5);
    free(path);
}

/* A zip whose names are code page 437 or have Windows' separator: written by hand, one member. */
static void put_small_zip(const char *path, const char *name, unsigned flags)
{
    uint8_t z[256] = "PK\3\4\24\0";
    const size_t n = strlen(name);
    hst_err err = {0};
    z[26] = (uint8_t)n; /* an empty stored member: sizes and check sum are 0 */
    memcpy(z + 30, name, n);
    uint8_t *c = z + 30 + n, *e = c + 46 + n;
    memcpy(c, "PK\1\2\24\0\24\0", 8);
    c[8] = (uint8_t)flags;
    c[28] = (uint8_t)n;
    memcpy(c + 46, name, n);
    memcpy(e, "PK\5\6", 4);
    e[8] = e[10] = 1;
    e[12] = (uint8_t)(46 + n);
    e[16] = (uint8_t)(30 + n);
    check_ok(hst_file_write(path, z, (size_t)(e + 22 - z), &err), &err);
}

static void zip_names_of_windows(void **state)
{
    const place *p = *state;
    char *path = path_in(p, "windows.zip");
    put_small_zip(path, "l\x94we\\a.jpg", 0);
    check_member(p, path, "l\xc3\xb6we/a.jpg", "", 0);
    put_small_zip(path, "l\xc3\xb6we/longer.jpg", 0);
    check_member(p, path, "l\xc3\xb6we/longer.jpg", "", 0);
    free(path);
}

static void check_refused(const place *p, const char *path, const char *message)
{
    hst_err err = {0};
    const hst_archive *a;
    assert_int_equal(hst_archive_open(&p->ctx, path, &a, &err), HST_EDATA);
    if (!strstr(err.msg, message))
        fail_msg("'%s' is not in '%s'", message, err.msg);
}

static void check_unreadable(const place *p, const char *path, const char *name, const char *why)
{
    hst_err err = {0};
    const hst_archive *a;
    uint8_t *bytes;
    size_t n;
    check_ok(hst_archive_open(&p->ctx, path, &a, &err), &err);
    const hst_member *m = hst_archive_find(a, name);
    assert_non_null(m);
    const hst_member_read how = {.max = 1 << 20, .code = HST_EIMAGE};
    assert_int_equal(hst_archive_read(a, m, &how, &bytes, &n, &err), HST_EIMAGE);
    if (!strstr(err.msg, why))
        fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void refuses_what_cannot_be_read(void **state)
{
    const place *p = *state;
    hst_err err = {0};
    uint8_t *bytes;
    size_t n;
    char *path = path_in(p, "bad");
    struct archive *a = start(path, zip_encrypted);
    put(a, "a.jpg", "hidden", 6);
    finish(a);
    check_unreadable(p, path, "a.jpg", "encrypted");
    /* a bit of the content is another one */
    write_all(path, zip_deflated);
    check_ok(hst_file_read(path, 1 << 24, HST_EDATA, &bytes, &n, &err), &err);
    bytes[n / 2] ^= 4;
    check_ok(hst_file_write(path, bytes, n, &err), &err);
    const hst_archive *z;
    int bad = 0;
    check_ok(hst_archive_open(&p->ctx, path, &z, &err), &err);
    size_t members;
    const hst_member *m = hst_archive_members(z, &members);
    for (size_t i = 0; i < members; i++) {
        uint8_t *content = NULL;
        size_t size;
        if (!m[i].is_folder &&
            hst_archive_read(z, &m[i], &(hst_member_read){1 << 20, 0, HST_EIMAGE}, &content, &size,
                             &err)) {
            bad++;
            assert_non_null(strstr(err.msg, "damaged"));
        }
        free(content);
    }
    assert_int_equal(bad, 1);
    /* it was cut off */
    check_ok(hst_file_write(path, bytes, n / 2, &err), &err);
    check_refused(p, path, "cut off");
    free(bytes);
    check_ok(hst_file_write(path, "no archive", 10, &err), &err);
    assert_false(hst_archive_is(path));
    check_refused(p, path, "is no .zip");
    free(path);
}

static void refuses_cut_tars(void **state)
{
    const place *p = *state;
    hst_err err = {0};
    set_up *const sets[] = {tar_ustar, tar_gz};
    char *path = path_in(p, "cut");
    for (size_t s = 0; s < 2; s++) {
        uint8_t *bytes;
        size_t n;
        write_all(path, sets[s]);
        check_ok(hst_file_read(path, 1 << 24, HST_EDATA, &bytes, &n, &err), &err);
        check_ok(hst_file_write(path, bytes, n / 2 + 1, &err), &err);
        check_refused(p, path, "damaged");
        free(bytes);
    }
    free(path);
}

/* A gigabyte of zeros is a megabyte of gzip. */
static void refuses_what_swells(void **state)
{
    const place *p = *state;
    char *path = path_in(p, "swells.tar.gz");
    const size_t n = 200 << 20;
    uint8_t *zeros = calloc(n, 1);
    assert_non_null(zeros);
    struct archive *a = start(path, tar_gz);
    put(a, "a.jpg", zeros, n);
    finish(a);
    free(zeros);
    check_refused(p, path, "unpacks to far more than its size");
    free(path);
}

static void refuses_what_is_no_tar_inside(void **state)
{
    const place *p = *state;
    char *path = path_in(p, "text.gz");
    struct archive *a = archive_write_new();
    assert_int_equal(archive_write_set_format_raw(a) || archive_write_add_filter_gzip(a), 0);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    put(a, "text", "name,label\n", 11);
    finish(a);
    check_refused(p, path, "is a compressed file, but no tar");
    free(path);
}

static void members_have_numbers_of_their_own(void **state)
{
    const place *p = *state;
    hst_err err = {0};
    const hst_archive *a;
    struct stat one, other, again;
    char *path = path_in(p, "numbers.zip");
    write_all(path, zip_stored);
    check_ok(hst_archive_open(&p->ctx, path, &a, &err), &err);
    hst_archive_stat(a, hst_archive_find(a, "cat/0.jpg"), &one);
    hst_archive_stat(a,
                     hst_archive_find(a, "cat/7.jpg") ? hst_archive_find(a, "cat/7.jpg")
                                                      : hst_archive_find(a, "dog/7.jpg"),
                     &other);
    hst_archive_stat(a, hst_archive_find(a, "cat/0.jpg"), &again);
    assert_int_equal(one.st_size, other.st_size);
    assert_int_not_equal(one.st_ino, other.st_ino);
    assert_int_equal(one.st_ino, again.st_ino);
    free(path);
}

typedef struct reader {
    const place *p;
    const char *path;
    int failed;
} reader;

static void *read_many(void *arg)
{
    reader *r = arg;
    static const hst_member_read how = {.max = 1 << 20, .code = HST_EIMAGE};
    for (unsigned round = 0; round < 20; round++)
        for (unsigned i = 0; i < MEMBERS; i++) {
            hst_err err = {0};
            const hst_archive *a;
            const hst_member *m;
            uint8_t want[LARGEST + 16], *bytes = NULL;
            size_t n = 0;
            char path[4200];
            snprintf(path, sizeof path, "%s/%s/%u.jpg", r->path, i % 2 ? "dog" : "cat", i);
            fill(want, size_of(i), i);
            r->failed |= hst_archive_resolve(&r->p->ctx, path, &a, &m, &err) != 1 ||
                         hst_archive_read(a, m, &how, &bytes, &n, &err) || n != size_of(i) ||
                         memcmp(bytes, want, n) != 0;
            free(bytes);
        }
    return NULL;
}

static void many_threads_read_one_archive(void **state)
{
    enum { THREADS = 8 };
    const place *p = *state;
    set_up *const sets[] = {zip_deflated, tar_gnu, tar_gz};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        char *path = path_in(p, "shared");
        pthread_t thread[THREADS];
        reader r[THREADS];
        write_all(path, sets[s]);
        for (int i = 0; i < THREADS; i++) {
            r[i] = (reader){p, path, 0};
            assert_int_equal(pthread_create(&thread[i], NULL, read_many, &r[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(thread[i], NULL);
            assert_false(r[i].failed);
        }
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_zips, begin, end),
        cmocka_unit_test_setup_teardown(reads_tars, begin, end),
        cmocka_unit_test_setup_teardown(reads_compressed_tars, begin, end),
        cmocka_unit_test_setup_teardown(finds_the_archive_in_a_path, begin, end),
        cmocka_unit_test_setup_teardown(notices_another_archive, begin, end),
        cmocka_unit_test_setup_teardown(names_are_resolved, begin, end),
        cmocka_unit_test_setup_teardown(the_last_of_a_name_counts, begin, end),
        cmocka_unit_test_setup_teardown(zip_names_of_windows, begin, end),
        cmocka_unit_test_setup_teardown(refuses_what_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(refuses_cut_tars, begin, end),
        cmocka_unit_test_setup_teardown(refuses_what_swells, begin, end),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_tar_inside, begin, end),
        cmocka_unit_test_setup_teardown(members_have_numbers_of_their_own, begin, end),
        cmocka_unit_test_setup_teardown(many_threads_read_one_archive, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
