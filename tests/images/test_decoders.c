/* images: formats that a helper process decodes; and what the helper may do, which must cost one
 * photo at most. */
#include "support.h"

#include "base/file.h"
#include "images/decoders.h"
#include "images/format.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct bytes {
    uint8_t *p;
    size_t n;
} bytes;

static bytes golden(const char *name)
{
    const char *root = getenv("HEADSTART_ROOT");
    char path[512];
    bytes b = {0};
    hst_err e = {0};
    snprintf(path, sizeof path, "%s/tests/golden/decoders/%s", root ? root : ".", name);
    check_ok(hst_file_read(path, 1 << 20, HST_EIMAGE, &b.p, &b.n, &e), &e);
    return b;
}

static hst_decoders *decoders_of(const char *program)
{
    hst_err e = {0};
    hst_decoders *d = hst_decoders_new(program, &e);
    assert_non_null(d);
    return d;
}

static hst_decoders *built(void)
{
    const char *program = getenv("HEADSTART_DECODER");
    assert_non_null(program);
    return decoders_of(program);
}

static hst_decoders *faking(const char *how)
{
    setenv("HST_FAKE", how, 1);
    return decoders_of(getenv("HEADSTART_FAKE_DECODER"));
}

static int decode(hst_decoders *d, bytes b, enum hst_resampler r, hst_image *img, hst_err *e)
{
    *img = (hst_image){0};
    *e = (hst_err){0};
    return hst_image_decode(&(hst_decode){r, 0, d}, b.p, b.n, img, e);
}

/* ---- what is right ---- */

static void check_pixels(const char *name, const hst_image *got, const hst_image *want, int most)
{
    if (got->w != want->w || got->h != want->h)
        fail_msg("%s: %d x %d, want %d x %d", name, got->w, got->h, want->w, want->h);
    for (size_t i = 0; i < (size_t)got->w * (size_t)got->h * 3; i++)
        if (abs(got->rgb[i] - want->rgb[i]) > most)
            fail_msg("%s: byte %zu is %d, want %d", name, i, got->rgb[i], want->rgb[i]);
}

/* NAME.STEPS.ENDING beside NAME.STEPS.ENDING.png. */
static int check_golden(hst_decoders *d, const char *name)
{
    char reference[300];
    hst_err e;
    hst_image got, want;
    snprintf(reference, sizeof reference, "%s.png", name);
    bytes b = golden(name), r = golden(reference);
    const enum hst_format f = hst_format_of(b.p, b.n);
    const int most = strchr(name, '.')[1] - '0', rc = decode(d, b, HST_RESAMPLE_PIL, &got, &e);
    assert_true(most == 0 || most == 2);
    assert_int_equal(f, hst_format_of_name(name));
    if (!hst_format_is_read(f)) {
        assert_int_equal(rc, HST_EIMAGE);
        assert_non_null(strstr(e.msg, hst_format_needs(f)));
    } else {
        check_ok(rc, &e);
        check_ok(decode(NULL, r, HST_RESAMPLE_PIL, &want, &e), &e);
        check_pixels(name, &got, &want, most);
        hst_image_clear(&got);
        check_ok(decode(d, b, HST_RESAMPLE_TF, &got, &e), &e);
        if (strncmp(name, "gray_16", 7) != 0) /* which "tf" does not clip */
            check_pixels(name, &got, &want, most);
        hst_image_clear(&want);
    }
    hst_image_clear(&got);
    free(b.p);
    free(r.p);
    return hst_format_is_read(f);
}

static void pixels_are_pillows(void **state)
{
    (void)state;
    char path[512];
    int n = 0, seen = 0;
    hst_decoders *d = built();
    snprintf(path, sizeof path, "%s/tests/golden/decoders", getenv("HEADSTART_ROOT"));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *f; (f = readdir(dir));) {
        const char *ending = strrchr(f->d_name, '.');
        if (f->d_name[0] == '.' || !strcmp(ending, ".png") || !strcmp(ending, ".md"))
            continue;
        n += check_golden(d, f->d_name);
        seen++;
    }
    closedir(dir);
    assert_true(seen >= 38);
    hst_decoders_free(d);
    if (n < seen)
        printf("%d of %d pictures are in formats that this build does not read\n", seen - n, seen);
}

/* The first format that this build reads. */
static bytes any_picture(void)
{
    static const char *const names[] = {"strips.0.tif", "rgb.0.jp2", "lossless.0.jxl",
                                        "rgb.2.heic"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (hst_format_is_read(hst_format_of_name(names[i])))
            return golden(names[i]);
    }
    print_message("this build reads no such format\n");
    skip();
    return (bytes){0};
}

static void check_read(hst_decoders *d, bytes b)
{
    hst_image img;
    hst_err e;
    check_ok(decode(d, b, HST_RESAMPLE_PIL, &img, &e), &e);
    assert_int_equal(img.w, 45);
    hst_image_clear(&img);
}

/* The same values, which Pillow clips. */
static void deep_gray_is_stretched(void **state)
{
    (void)state;
    need_part("libtiff");
    need_part("openjpeg");
    bytes a = golden("gray_16.0.tif"), b = golden("gray_16.0.jp2");
    hst_decoders *d = built();
    hst_image tiff, jp2, tf, clipped;
    hst_err e;
    int least = 255, most = 0;
    check_ok(decode(d, a, HST_RESAMPLE_SCALED, &tiff, &e), &e);
    check_ok(decode(d, a, HST_RESAMPLE_PIL, &clipped, &e), &e);
    check_ok(decode(d, b, HST_RESAMPLE_SCALED, &jp2, &e), &e);
    check_pixels("gray_16.0.jp2", &jp2, &tiff, 0);
    check_ok(decode(d, a, HST_RESAMPLE_TF, &tf, &e), &e);
    check_pixels("gray_16.0.tif", &tf, &tiff, 0);
    for (size_t i = 0; i < (size_t)tiff.w * (size_t)tiff.h * 3; i++) {
        least = tiff.rgb[i] < least ? tiff.rgb[i] : least;
        most = tiff.rgb[i] > most ? tiff.rgb[i] : most;
        assert_true(tiff.rgb[i] <= clipped.rgb[i]);
    }
    assert_int_equal(least, 0);
    assert_int_equal(most, 255);
    hst_image_clear(&tiff);
    hst_image_clear(&clipped);
    hst_image_clear(&tf);
    hst_image_clear(&jp2);
    hst_decoders_free(d);
    free(a.p);
    free(b.p);
}

static void check_refused(hst_decoders *d, bytes b, const char *why)
{
    hst_image img;
    hst_err e;
    assert_int_equal(decode(d, b, HST_RESAMPLE_PIL, &img, &e), HST_EIMAGE);
    assert_null(img.rgb);
    if (!strstr(e.msg, why) || strchr(e.msg, '\n'))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void every_cut_has_a_reason(void **state)
{
    (void)state;
    static const char *const names[] = {"strips.0.tif", "rgb.0.jp2", "lossless.0.jxl", "rgb.2.heic",
                                        "rgb.2.avif"};
    hst_decoders *d = built();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bytes b = golden(names[i]);
        for (size_t n = 16; n < b.n; n += 1 + b.n / 40) {
            hst_image img;
            hst_err e;
            uint8_t *copy = malloc(n); /* exactly, so that a sanitizer sees any read behind */
            memcpy(copy, b.p, n);
            const int rc = decode(d, (bytes){copy, n}, HST_RESAMPLE_PIL, &img, &e);
            if (rc && (rc != HST_EIMAGE || strlen(e.msg) < 8))
                fail_msg("%s cut to %zu bytes: %d %s", names[i], n, rc, e.msg);
            hst_image_clear(&img);
            free(copy);
        }
        free(b.p);
    }
    hst_decoders_free(d);
}

/* ---- processes ---- */

static void one_is_kept_and_a_killed_one_replaced(void **state)
{
    (void)state;
    bytes b = any_picture();
    hst_decoders *d = built();
    assert_int_equal(hst_decoders_process(d), 0); /* none before the first photo */
    check_read(d, b);
    const int first = hst_decoders_process(d);
    assert_true(first > 0);
    check_read(d, b);
    assert_int_equal(hst_decoders_process(d), first);
    kill(first, SIGKILL);
    check_read(d, b);
    const int second = hst_decoders_process(d);
    assert_true(second > 0 && second != first);
    hst_decoders_free(d);
    assert_int_equal(kill(second, 0), -1);
    assert_int_equal(errno, ESRCH);
    free(b.p);
}

typedef struct shared {
    hst_decoders *d;
    bytes b;
    int failed;
} shared;

static void *decode_many(void *arg)
{
    shared *s = arg;
    for (int i = 0; i < 40; i++) {
        hst_image img;
        hst_err e;
        if (decode(s->d, s->b, HST_RESAMPLE_PIL, &img, &e) || img.w != 45)
            __atomic_add_fetch(&s->failed, 1, __ATOMIC_RELAXED);
        hst_image_clear(&img);
    }
    return NULL;
}

/* Decoders are killed all the while; no photo is lost. */
static void threads_decode_side_by_side(void **state)
{
    (void)state;
    enum { N = 8 };
    pthread_t thread[N];
    shared s = {built(), any_picture(), 0};
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, decode_many, &s), 0);
    for (int i = 0; i < 10; i++) {
        const int pid = hst_decoders_process(s.d);
        if (pid)
            kill(pid, SIGKILL);
        usleep(5000);
    }
    for (int i = 0; i < N; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(s.failed, 0);
    hst_decoders_free(s.d);
    free(s.b.p);
}

static int open_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/dev/fd");
    for (struct dirent *f; dir && (f = readdir(dir));)
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void a_child_of_fork_starts_its_own(void **state)
{
    (void)state;
    bytes b = any_picture();
    hst_decoders *d = built();
    check_read(d, b);
    const int ours = hst_decoders_process(d);
    const pid_t child = fork();
    if (child == 0) {
        hst_image img;
        hst_err e;
        int rc = decode(d, b, HST_RESAMPLE_PIL, &img, &e);
        const int theirs = hst_decoders_process(d);
        hst_decoders_free(d);
        _exit(rc ? 1 : theirs == ours || theirs == 0 ? 2 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_read(d, b);
    assert_int_equal(hst_decoders_process(d), ours);
    hst_decoders_free(d);
    free(b.p);
}

static void nothing_stays_open(void **state)
{
    (void)state;
    bytes b = any_picture();
    const int before = open_descriptors();
    for (int i = 0; i < 3; i++) {
        hst_decoders *d = built(), *other = built(); /* two contexts */
        check_read(d, b);
        check_read(other, b);
        assert_int_not_equal(hst_decoders_process(d), hst_decoders_process(other));
        kill(hst_decoders_process(d), SIGKILL);
        check_read(d, b);
        hst_decoders_free(other);
        hst_decoders_free(d);
        d = faking("crash");
        check_refused(d, b, "signal 11");
        hst_decoders_free(d);
    }
    assert_int_equal(open_descriptors(), before);
    free(b.p);
}

static void what_holds_it_is_told(void **state)
{
    (void)state;
    char sandbox[128], library[64];
    hst_err e = {0};
    hst_decoders *d = built();
    check_ok(hst_decoders_ask(d, HST_FORMAT_TIFF, sandbox, library, &e), &e);
    assert_non_null(strstr(sandbox, "limits"));
    assert_int_equal(strncmp(library, "libtiff ", 8) == 0, hst_format_is_read(HST_FORMAT_TIFF));
    hst_decoders_free(d);
}

/* ---- what a helper may do ---- */

static void a_missing_helper_refuses_photos(void **state)
{
    (void)state;
    bytes b = any_picture();
    hst_decoders *d = decoders_of("/nowhere/headstart-decode");
    check_refused(d, b, "/nowhere/headstart-decode is missing: install it (make install)");
    check_refused(d, b, "is missing"); /* and once more */
    hst_decoders_free(d);
    free(b.p);
}

static void a_wrong_helper_refuses_photos(void **state)
{
    (void)state;
    bytes b = any_picture();
    hst_decoders *d = decoders_of("/bin/false");
    check_refused(d, b, "is not the decoding helper of this version");
    hst_decoders_free(d);
    static const char *const greetings[] = {"mute", "other version", "endless"};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        d = faking(greetings[i]);
        check_refused(d, b, "is not the decoding helper of this version");
        hst_decoders_free(d);
    }
    check_refused(NULL, b, "is not read here");
    free(b.p);
}

static void a_helper_that_lies_or_dies_costs_one_photo(void **state)
{
    (void)state;
    static const struct {
        const char *how, *why;
    } cases[] = {{"crash", "reading it was ended by signal 11"},
                 {"exit", "the decoding helper ended"},
                 {"hang", "took more than 1 second"},
                 {"short", "an answer that cannot be"},
                 {"wide", "an answer that cannot be"},
                 {"beyond", "an answer that cannot be"},
                 {"orientation", "an answer that cannot be"},
                 {"status", "an answer that cannot be"},
                 {"larger", "an answer that cannot be"},
                 {"always larger", "an answer that cannot be"},
                 {"text", "????"}};
    bytes b = any_picture();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_decoders *d = faking(cases[i].how);
        hst_decoders_limit(d, 1);
        check_refused(d, b, cases[i].why);
        setenv("HST_FAKE", "well", 1);
        if (strcmp(cases[i].how, "text") != 0) { /* that one runs on */
            hst_image img;
            hst_err e;
            check_ok(decode(d, b, HST_RESAMPLE_PIL, &img, &e), &e);
            assert_int_equal(img.w, 2);
            hst_image_clear(&img);
        }
        hst_decoders_free(d);
    }
    hst_decoders *d = faking("shrink"); /* its memory cannot be made smaller */
    hst_image img;
    hst_err e;
    const int rc = decode(d, b, HST_RESAMPLE_PIL, &img, &e);
    assert_true(rc == 0 || rc == HST_EIMAGE);
    hst_image_clear(&img);
    hst_decoders_free(d);
    free(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_pillows),
        cmocka_unit_test(deep_gray_is_stretched),
        cmocka_unit_test(every_cut_has_a_reason),
        cmocka_unit_test(one_is_kept_and_a_killed_one_replaced),
        cmocka_unit_test(threads_decode_side_by_side),
        cmocka_unit_test(a_child_of_fork_starts_its_own),
        cmocka_unit_test(nothing_stays_open),
        cmocka_unit_test(what_holds_it_is_told),
        cmocka_unit_test(a_missing_helper_refuses_photos),
        cmocka_unit_test(a_wrong_helper_refuses_photos),
        cmocka_unit_test(a_helper_that_lies_or_dies_costs_one_photo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
