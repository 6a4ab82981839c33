/* The import helper as the library starts it: good files become safetensors, the hostile set is
 * refused in time with nothing written. */
#include "support.h"

#include "base/context.h"
#include "base/file.h"
#include "base/process.h"
#include "formats/convert.h"
#include "formats/safetensors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char torchvision[] = "fixtures/mobilenet_v2_1.0_224/torchvision";

typedef struct place {
    hst_ctx ctx;
    char *dir, *out;
} place;

static int begin(void **state)
{
    hst_err err = {0};
    place *p = calloc(1, sizeof *p);
    p->ctx.helper = getenv("HEADSTART_HELPER");
    p->dir = temporary_folder();
    p->out = hst_path_join(p->dir, "out.safetensors", &err);
    *state = p;
    return p->ctx.helper ? 0 : -1;
}

static int end(void **state)
{
    place *p = *state;
    remove_tree(p->dir);
    free(p->dir);
    free(p->out);
    free(p);
    return 0;
}

static int files_in(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* . and .. */
}

static char *repository_file(const char *name)
{
    hst_err err = {0};
    const char *root = getenv("HEADSTART_ROOT");
    return hst_path_join(root ? root : ".", name, &err);
}

/* Imports a file and reads the result. */
static hst_tensors *import(place *p, const char *source)
{
    hst_err err = {0};
    check_ok(hst_convert(&p->ctx, source, p->out, &err), &err);
    assert_int_equal(files_in(p->dir), 1);
    hst_tensors *t = hst_tensors_read(p->out, &err);
    check_ok(t == NULL, &err);
    char digest[65];
    check_ok(hst_tensors_digest_of(t, "content_sha256", digest, &err), &err);
    assert_string_equal(hst_tensors_meta(t, "content_sha256"), digest);
    return t;
}

/* tests/golden/formats/odd*.pth, saved by PyTorch 2.13: w = arange(24) as float64 [2, 3, 4];
 * module-like names "t.half" = w.half().transpose(0, 2), "t.view" = w[1:, :, 1::2],
 * "t.bf16" = w.bfloat16()[0], "t.expand" = tensor([1.5]).expand(3, 2), "p" a parameter of ones. */
static void odd_tensors_are_exact(place *p, const char *name)
{
    hst_err err = {0};
    float x[24];
    char *path = repository_file(name);
    hst_tensors *t = import(p, path);
    assert_int_equal(hst_tensors_count(t), 10); /* and not "note", a text */
    const hst_tensor *half = hst_tensors_find(t, "t.half"), *view = hst_tensors_find(t, "t.view");
    assert_int_equal(half->dtype, HST_F16);
    assert_int_equal(half->dim[0], 4);
    assert_int_equal(half->dim[2], 2);
    check_ok(hst_tensor_floats(half, x, &err), &err);
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 2; c++)
                assert_true(x[(a * 3 + b) * 2 + c] == (float)(c * 12 + b * 4 + a));
    assert_int_equal(view->dtype, HST_F64);
    assert_int_equal(hst_tensor_count(view), 6);
    check_ok(hst_tensor_floats(view, x, &err), &err);
    for (int b = 0; b < 3; b++)
        for (int c = 0; c < 2; c++)
            assert_true(x[b * 2 + c] == (float)(12 + b * 4 + 1 + 2 * c));
    check_ok(hst_tensor_floats(hst_tensors_find(t, "t.bf16"), x, &err), &err);
    assert_true(x[11] == 11);
    check_ok(hst_tensor_floats(hst_tensors_find(t, "t.expand"), x, &err), &err);
    assert_true(x[0] == 1.5f && x[5] == 1.5f);
    check_ok(hst_tensor_floats(hst_tensors_find(t, "p"), x, &err), &err);
    assert_true(x[0] == 1 && x[1] == 1);
    assert_int_equal(hst_tensor_count(hst_tensors_find(t, "t.empty")), 0);
    const hst_tensor *scalar = hst_tensors_find(t, "t.scalar");
    assert_int_equal(scalar->n_dims, 0);
    assert_int_equal(*(const int64_t *)scalar->data, 7);
    assert_memory_equal(hst_tensors_find(t, "t.i8")->data, "\xff\2", 2);
    assert_int_equal(hst_tensors_find(t, "t.bool")->dtype, HST_BOOL);
    hst_tensors_free(t);
    free(path);
}

/* Files of the shared reference data, where they are. */
static void check_networks(place *p)
{
    static const char *const names[] = {"tiny_0.1_checkpoint.pth.tar", "tiny_0.1_legacy.pth",
                                        "mobilenet_v2-b3cad60d.pth"};
    char name[256];
    hst_err err = {0};
    float first[1] = {0};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", torchvision, names[i]);
        char *path = shared_path(name);
        if (!path)
            return;
        hst_tensors *t = import(p, path);
        assert_int_equal(hst_tensors_count(t), 314);
        const hst_tensor *w = hst_tensors_find(t, "features.0.0.weight"); /* not "module." */
        assert_non_null(w);
        float *x = calloc(hst_tensor_count(w), sizeof *x);
        check_ok(hst_tensor_floats(w, x, &err), &err);
        if (i == 1) /* the two tiny files hold the same network */
            assert_true(x[0] == first[0]);
        first[0] = x[0];
        free(x);
        hst_tensors_free(t);
        free(path);
    }
}

static void both_layouts_give_the_same_tensors(void **state)
{
    odd_tensors_are_exact(*state, "tests/golden/formats/odd.pth");
    odd_tensors_are_exact(*state, "tests/golden/formats/odd_legacy.pth");
    check_networks(*state);
}

/* tests/golden/formats/front.*, saved by Keras 3.15: Rescaling(1/255), Normalization with the
 * weights mean .25 .5 .75 and variance .0625 .25 1, Rescaling([1, 2, 4]), Conv2D "stem_conv" and
 * DepthwiseConv2D "dw". Weights alone do not tell of the second Rescaling. */
static void what_keras_layers_make_of_pixels_is_read(void **state)
{
    static const struct {
        const char *file, *std;
    } files[] = {{"front.keras", "63.75 63.75 63.75"},
                 {"front.h5", "63.75 63.75 63.75"},
                 {"front.weights.h5", "63.75 127.5 255"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, "tests/golden/formats/%s", files[i].file);
        char *path = repository_file(name);
        hst_tensors *t = import(*state, path);
        assert_non_null(hst_tensors_meta(t, "mean"));
        assert_string_equal(hst_tensors_meta(t, "mean"), "63.75 127.5 191.25");
        assert_string_equal(hst_tensors_meta(t, "std"), files[i].std);
        /* the scope "sequential" that front.h5 has in front of both is none of theirs */
        assert_non_null(hst_tensors_find(t, "dw/depthwise_kernel"));
        assert_non_null(hst_tensors_find(t, "stem_conv/kernel"));
        hst_tensors_free(t);
        free(path);
    }
}

/* A file cut anywhere is refused (a zip needs its end, the old layout all its storages). */
static void truncations_are_refused(void **state)
{
    place *p = *state;
    static const char *const names[] = {"tests/golden/formats/odd.pth",
                                        "tests/golden/formats/odd_legacy.pth"};
    for (int k = 0; k < 2; k++) {
        hst_err err = {0};
        uint8_t *bytes;
        size_t n;
        char *path = repository_file(names[k]), *cut = hst_path_join(p->dir, "cut", &err);
        check_ok(hst_file_read(path, 10000, HST_EIO, &bytes, &n, &err), &err);
        for (size_t i = 0; i < n; i += i < 20 ? 1 : 97) {
            check_ok(hst_file_write(cut, bytes, i, &err), &err);
            if (hst_convert(&p->ctx, cut, p->out, &err) != HST_EMODEL)
                fail_msg("%s cut to %zu bytes: %d %s", names[k], i, err.code, err.msg);
            assert_int_equal(files_in(p->dir), 1);
        }
        unlink(cut);
        free(bytes);
        free(path);
        free(cut);
    }
}

/* Largest resident set of the children so far, MiB. */
static long children_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return u.ru_maxrss / 1024;
}

static void hostile_files_are_refused(void **state)
{
    place *p = *state;
    static const char *const bad[][2] = {
        {"pth_os_system.pth", "os.system"},
        {"pth_os_system_legacy.pth", "os.system"},
        {"pth_stack_global_eval.pth", "protocol 4"},
        {"pth_memo_billion_laughs.pth", "more than one value"},
        {"pth_memo_index_huge.pth", "memo"},
        {"pth_endless_string.pth", "cut off"},
        {"pth_tensor_past_storage.pth", "past the end of its storage"},
        {"pth_storage_short.pth", "1000 bytes, expected 864"},
        {"pth_zip_bomb.pth", "far more than the archive"},
        {"keras_size_lies.keras", "far more than the archive"},
        {"keras_size_understated.keras", "longer than it says"},
        {"keras_duplicate_member.keras", "two members"},
        {"keras_dotdot_member.keras", "leads out"},
        {"h5_btree_cycle.h5", "HDF5"},
        {"tar_gzip_bomb.tar.gz", "far more than the archive"},
        {"tar_dotdot.tar.gz", "leads out"},
        {"tar_symlink_escape.tar.gz", "no regular file"},
        {"tar_hardlink_escape.tar.gz", "no regular file"},
    };
    char name[256];
    int n = 0;
    hst_err err = {0};
    assert_int_equal(chdir(p->dir), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(name, sizeof name, "fixtures/bad/%s", bad[i][0]);
        char *path = shared_path(name);
        if (!path) /* of the shared data */
            continue;
        n++;
        double started = hst_now_s();
        int rc = hst_convert(&p->ctx, path, p->out, &err);
        if (rc != HST_EMODEL || !strstr(err.msg, bad[i][1]) || !strstr(err.msg, bad[i][0]))
            fail_msg("%s: %d %s, expected '%s'", bad[i][0], rc, err.msg, bad[i][1]);
        assert_true(hst_now_s() - started < 2);
        assert_int_equal(files_in(p->dir), 0); /* no output, no headstart_ran_a_pickle */
        free(path);
    }
    assert_true(n >= 3);
    assert_true(children_mib() < 100);
}

/* HEADSTART_HELPER is where Meson says that it built the helper. */
static void the_builds_helper_is_found_from_the_program(void **state)
{
    (void)state;
    hst_err err = {0};
    char *found = hst_helper_find(HST_CONVERT_HELPER, HST_CONVERT_IN_BUILD, &err);
    char *built = realpath(getenv("HEADSTART_HELPER"), NULL);
    assert_non_null(found);
    assert_non_null(built);
    assert_string_equal(found, built);
    free(found);
    free(built);
}

static void a_missing_helper_says_what_to_do(void **state)
{
    place *p = *state;
    hst_err err = {0};
    hst_ctx ctx = {.helper = "/nowhere/headstart-convert"};
    assert_int_equal(hst_convert(&ctx, p->dir, p->out, &err), HST_EPROC);
    assert_non_null(strstr(err.msg, "HEADSTART_HELPER"));
    assert_int_equal(hst_convert(&p->ctx, "/nowhere/x.pth", p->out, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "/nowhere/x.pth"));
    assert_int_equal(hst_convert(&p->ctx, p->dir, p->out, &err), HST_EMODEL);
    assert_int_equal(hst_convert(&p->ctx, p->dir, "/nowhere/out", &err), HST_EIO);
    assert_int_equal(files_in(p->dir), 0);
}

static void one_member_is_unpacked(void **state)
{
    place *p = *state;
    hst_err err = {0};
    uint8_t *bytes;
    size_t n;
    char *zip = repository_file("tests/golden/formats/odd.pth");
    check_ok(hst_unpack(&p->ctx, zip, "odd/byteorder", 6, p->out, &err), &err);
    check_ok(hst_file_read(p->out, 100, HST_EIO, &bytes, &n, &err), &err);
    assert_int_equal(n, 6);
    assert_memory_equal(bytes, "little", 6);
    free(bytes);
    unlink(p->out);
    assert_int_equal(hst_unpack(&p->ctx, zip, "odd/byteorder", 5, p->out, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "6 bytes"));
    assert_int_equal(hst_unpack(&p->ctx, zip, "odd/none", 5, p->out, &err), HST_EMODEL);
    assert_int_equal(files_in(p->dir), 0);
    free(zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_files_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(both_layouts_give_the_same_tensors, begin, end),
        cmocka_unit_test_setup_teardown(what_keras_layers_make_of_pixels_is_read, begin, end),
        cmocka_unit_test_setup_teardown(truncations_are_refused, begin, end),
        cmocka_unit_test(the_builds_helper_is_found_from_the_program),
        cmocka_unit_test_setup_teardown(a_missing_helper_says_what_to_do, begin, end),
        cmocka_unit_test_setup_teardown(one_member_is_unpacked, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
