/* dataset: folders of photos, their order, and what is said of folders that cannot be used. */
#include "support.h"

#include "base/context.h"
#include "base/file.h"
#include "dataset/dataset.h"
#include "images/format.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char last_log[2048];

static void keep_log(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    snprintf(last_log, sizeof last_log, "%s", line);
}

static hst_ctx context = {.log = keep_log};

static char *in(const char *dir, const char *name)
{
    char *path = hst_path_join(dir, name, NULL);
    assert_non_null(path);
    return path;
}

static void make_folder(const char *dir, const char *name)
{
    hst_err e = {0};
    char *path = in(dir, name);
    check_ok(hst_mkdirs(path, &e), &e);
    free(path);
}

/* An empty file, with the folders above it. */
static void touch(const char *dir, const char *name)
{
    char *path = in(dir, name), *slash = strrchr(path, '/');
    *slash = 0;
    make_folder(path, "");
    *slash = '/';
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fclose(f);
    free(path);
}

static hst_data_opts split_opts(const char *split)
{
    hst_data_opts o = hst_data_opts_default();
    o.split = split;
    return o;
}

static hst_data *open_ok(const char *dir, const hst_data_opts *o)
{
    hst_err e = {0};
    hst_data *d = hst_data_open(&context, dir, o, &e);
    if (!d)
        fail_msg("unexpected error %d: %s", e.code, e.msg);
    return d;
}

/* The folder is refused with that code and a message that holds text. */
static void refused(const char *dir, const hst_data_opts *o, int code, const char *text)
{
    hst_err e = {0};
    assert_null(hst_data_open(&context, dir, o, &e));
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, text))
        fail_msg("'%s' does not say '%s'", e.msg, text);
}

static json_t *load_trees(void)
{
    char *path = in(getenv("HEADSTART_ROOT"), "tests/golden/split/trees.json");
    json_error_t why;
    json_t *j = json_load_file(path, 0, &why);
    if (!j)
        fail_msg("%s: %s", path, why.text);
    free(path);
    return j;
}

static char *make_tree(const json_t *files)
{
    char *dir = temporary_folder();
    size_t i;
    json_t *name;
    json_array_foreach(files, i, name)
    {
        touch(dir, json_string_value(name));
    }
    return dir;
}

static void check_classes(const hst_data *d, const json_t *want)
{
    assert_int_equal(hst_data_classes(d), json_array_size(want));
    for (int c = 0; c < hst_data_classes(d); c++)
        assert_string_equal(hst_data_class(d, c),
                            json_string_value(json_array_get(want, (size_t)c)));
    assert_null(hst_data_class(d, -1));
    assert_null(hst_data_class(d, hst_data_classes(d)));
}

static void files_come_in_the_order_of_keras(void **state)
{
    (void)state;
    json_t *j = load_trees(), *want;
    char *dir = make_tree(json_object_get(j, "tiny_tree"));
    want = json_object_get(json_object_get(json_object_get(j, "results"), "no_shuffle"), "keras3");
    json_t *files = json_object_get(want, "files");
    hst_data_opts o = split_opts("keras");
    hst_data *d = open_ok(dir, &o);
    check_classes(d, json_object_get(want, "class_names"));
    assert_int_equal(hst_data_count(d), json_array_size(files));
    for (size_t i = 0; i < hst_data_count(d); i++) {
        const char *relative = json_string_value(json_array_get(files, i));
        char *path = in(dir, relative);
        assert_string_equal(d->photos[i].relative, relative);
        assert_string_equal(hst_data_path(d, i), path);
        const char *class = hst_data_class(d, hst_data_label(d, i));
        assert_memory_equal(relative, class, strlen(class));
        free(path);
    }
    assert_null(hst_data_path(d, hst_data_count(d)));
    assert_int_equal(hst_data_label(d, hst_data_count(d)), -1);
    hst_data_free(d);
    d = open_ok(dir, NULL); /* split "stable": .webp and .tiff count as well, hidden files do not */
    assert_int_equal(hst_data_count(d),
                     (int)json_array_size(files) - 1 + hst_format_is_read(HST_FORMAT_TIFF));
    assert_string_equal(d->photos[7].relative, "Zebra/x.webp");
    assert_non_null(strstr(last_log, "1 photo lies outside the class folders"));
    assert_non_null(strstr(last_log, "1 class folder holds no photos: empty"));
    hst_data_free(d);
    remove_tree(dir);
    free(dir);
    json_decref(j);
}

static void links_are_taken_as_keras_3_takes_them(void **state)
{
    (void)state;
    static const char *const want[] = {"A/a.png", "A/linkfile.png", "B/b.png", "B/dangling.png",
                                       "C_link/o.png"};
    char *dir = temporary_folder(), *other = temporary_folder();
    char *o_png = in(other, "o.png"), *c_link = in(dir, "C_link");
    char *linkdir = in(dir, "A/linkdir"), *linkfile = in(dir, "A/linkfile.png");
    char *dangling = in(dir, "B/dangling.png");
    touch(other, "o.png");
    touch(dir, "A/a.png");
    touch(dir, "B/b.png");
    assert_int_equal(symlink(other, linkdir), 0);
    assert_int_equal(symlink(o_png, linkfile), 0);
    assert_int_equal(symlink("nothing", dangling), 0);
    assert_int_equal(symlink(other, c_link), 0);
    hst_data_opts o = split_opts("none");
    hst_data *d = open_ok(dir, &o);
    assert_int_equal(hst_data_count(d), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(d->photos[i].relative, want[i]);
    hst_data_free(d);
    remove_tree(dir);
    remove_tree(other);
    char *strings[] = {dir, other, o_png, c_link, linkdir, linkfile, dangling};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
}

static void folders_that_cannot_be_used_are_explained(void **state)
{
    (void)state;
    char *dir = temporary_folder(), *path;
    hst_data_opts none = split_opts("none"), keras = split_opts("keras");
    path = in(dir, "missing");
    refused(path, NULL, HST_EDATA, "missing: there is no such folder");
    free(path);
    path = in(dir, "missing.csv");
    refused(path, NULL, HST_EDATA, "missing.csv: there is no such file or folder");
    free(path);
    refused(dir, NULL, HST_EDATA, "is empty; expected one sub-folder of photos per class");
    touch(dir, "a.jpg");
    path = in(dir, "a.jpg");
    refused(path, NULL, HST_EDATA, "a.jpg is a file; expected a folder");
    free(path);
    touch(dir, "b.jpg");
    refused(dir, NULL, HST_EDATA, "holds 2 photos but no class folders");
    refused(dir, &none, HST_EDATA, "holds 2 photos but no class folders");
    touch(dir, "cats/notes.txt");
    refused(dir, NULL, HST_EDATA, "no photos in its 1 class folder: 1 file is not a photo");
    touch(dir, "cats/1.jpg");
    touch(dir, "cats/2.jpg");
    refused(dir, NULL, HST_EDATA, "photos of one class only (cats)");
    hst_data_free(open_ok(dir, &none));
    make_folder(dir, "dogs");
    refused(dir, NULL, HST_EDATA, "photos of one class only (cats)");
    touch(dir, "dogs/1.jpg");
    refused(dir, &keras, HST_EDATA, "too few photos: 3 in 2 classes");
    hst_data_free(open_ok(dir, NULL)); /* one photo of a class is enough */
    touch(dir, "dogs/2.jpg");
    refused(dir, &keras, HST_EDATA, "too few photos: a validation part of 0.2 leaves 4 of 4");
    hst_data_free(open_ok(dir, NULL));
    remove_tree(dir);
    free(dir);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    hst_data_opts o = split_opts("random");
    refused("/", &o, HST_EARG, "unknown split 'random'");
    o = split_opts("stable");
    static const double parts[] = {0, 1, -1, 1.0 / 0.0, 0.0 / 0.0};
    for (size_t i = 0; i < 5; i++) {
        o.val_part = parts[i];
        refused("/", &o, HST_EARG, "is not between 0 and 1");
    }
    o = (hst_data_opts){0};
    refused("/", &o, HST_EARG, "hst_data_opts_default");
    refused("", NULL, HST_EARG, "no folder given");
}

/* Permissions mean nothing to the superuser, so such a process steps down for this. */
static void folders_without_permission_are_named(void **state)
{
    (void)state;
    uid_t was = geteuid();
    char *dir = temporary_folder(), *sub = in(dir, "a/sub"), *class = in(dir, "b");
    touch(dir, "a/1.png");
    touch(dir, "a/2.png");
    touch(dir, "a/sub/3.png");
    touch(dir, "b/1.png");
    touch(dir, "b/2.png");
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(sub, 0), 0);
    if (was == 0)
        assert_int_equal(seteuid(65534), 0);
    hst_data *d = open_ok(dir, NULL);
    assert_int_equal(hst_data_count(d), 4);
    assert_non_null(strstr(last_log, "a/sub (no permission to read this folder)"));
    hst_data_free(d);
    if (was == 0)
        assert_int_equal(seteuid(was), 0);
    assert_int_equal(chmod(class, 0), 0);
    if (was == 0)
        assert_int_equal(seteuid(65534), 0);
    refused(dir, NULL, HST_EDATA, "/b: no permission to read this folder");
    refused(class, NULL, HST_EDATA, "/b: no permission to read this folder");
    if (was == 0)
        assert_int_equal(seteuid(was), 0);
    assert_int_equal(chmod(sub, 0755), 0);
    assert_int_equal(chmod(class, 0755), 0);
    remove_tree(dir);
    free(class);
    free(sub);
    free(dir);
}

static void train_and_validation_folders_are_the_sides(void **state)
{
    (void)state;
    static const char *const names[] = {"val", "validation", "test"};
    for (size_t i = 0; i < 3; i++) {
        char *dir = temporary_folder(), name[64];
        touch(dir, "train/a/1.png");
        touch(dir, "train/b/1.webp");
        make_folder(dir, "train/c");
        snprintf(name, sizeof name, "%s/b/2.png", names[i]);
        touch(dir, name);
        hst_data *d = open_ok(dir, NULL);
        assert_int_equal(d->split, HST_SPLIT_FOLDERS);
        assert_int_equal(hst_data_classes(d), 2); /* c has no photos */
        assert_int_equal(hst_data_count(d), 3);
        assert_string_equal(d->photos[1].relative, "train/b/1.webp");
        assert_string_equal(d->photos[2].relative, name);
        assert_int_equal(d->photos[1].side, HST_TRAIN);
        assert_int_equal(d->photos[2].side, HST_VALIDATION);
        assert_int_equal(hst_data_label(d, 2), 1);
        hst_data_free(d);
        snprintf(name, sizeof name, "%s/zebra", names[i]);
        make_folder(dir, name);
        hst_data_free(open_ok(dir, NULL)); /* without photos it does no harm */
        snprintf(name, sizeof name, "%s/zebra/2.png", names[i]);
        touch(dir, name);
        refused(dir, NULL, HST_EDATA, "its class, zebra, has no photos to train on");
        remove_tree(dir);
        free(dir);
    }
}

static void names_of_parts_are_no_classes_unless_it_is_said(void **state)
{
    (void)state;
    char *dir = temporary_folder();
    touch(dir, "train/1.png");
    touch(dir, "train/2.png");
    touch(dir, "test/1.png");
    touch(dir, "test/2.png");
    refused(dir, NULL, HST_EDATA, "test, train look like parts of a data set");
    hst_data_opts o = hst_data_opts_default();
    o.part = "none";
    hst_data *d = open_ok(dir, &o);
    assert_int_equal(d->split, HST_SPLIT_STABLE);
    assert_string_equal(hst_data_class(d, 0), "test");
    hst_data_free(d);
    remove_tree(dir);
    free(dir);
}

static void a_folder_of_its_own_for_validation(void **state)
{
    (void)state;
    char *dir = temporary_folder(), *train = in(dir, "x//"), *val = in(dir, "y");
    char *photo = in(dir, "y/b/2.png");
    touch(dir, "x/a/1.png");
    touch(dir, "x/b/1.png");
    hst_data_opts o = hst_data_opts_default();
    o.val_dir = val;
    refused(train, &o, HST_EDATA, "y: there is no such folder");
    make_folder(dir, "y/b");
    refused(train, &o, HST_EDATA, "y: no photos in its 1 class folder");
    touch(dir, "y/b/2.png");
    hst_data *d = open_ok(train, &o);
    assert_int_equal(d->split, HST_SPLIT_FOLDERS);
    assert_string_equal(d->photos[0].relative, "a/1.png");
    assert_string_equal(d->photos[2].relative, photo);
    assert_string_equal(hst_data_path(d, 2), photo);
    assert_int_equal(d->photos[2].side, HST_VALIDATION);
    hst_data_free(d);
    remove_tree(dir);
    free(photo);
    free(val);
    free(train);
    free(dir);
}

static void very_deep_folders_are_refused(void **state)
{
    (void)state;
    char *dir = temporary_folder(), deep[400] = "a";
    for (int i = 0; i < 70; i++)
        strcat(deep, "/d");
    touch(dir, "b/1.png");
    touch(dir, "a/1.png");
    make_folder(dir, deep);
    refused(dir, NULL, HST_EDATA, "more than 64 deep");
    remove_tree(dir);
    free(dir);
}

static void files_without_labels_keep_their_order(void **state)
{
    (void)state;
    hst_err e = {0};
    const char *const paths[] = {"z.jpg", "/a/b.png", "z.jpg"};
    hst_data *d = hst_data_from_files(paths, 3, &e);
    assert_non_null(d);
    assert_int_equal(hst_data_count(d), 3);
    assert_int_equal(hst_data_classes(d), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(hst_data_path(d, i), paths[i]);
        assert_int_equal(hst_data_label(d, i), -1);
    }
    hst_data_free(d);
    d = hst_data_from_files(NULL, 0, &e);
    assert_int_equal(hst_data_count(d), 0);
    hst_data_free(d);
    hst_data_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_in_the_order_of_keras),
        cmocka_unit_test(links_are_taken_as_keras_3_takes_them),
        cmocka_unit_test(folders_that_cannot_be_used_are_explained),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(folders_without_permission_are_named),
        cmocka_unit_test(train_and_validation_folders_are_the_sides),
        cmocka_unit_test(names_of_parts_are_no_classes_unless_it_is_said),
        cmocka_unit_test(a_folder_of_its_own_for_validation),
        cmocka_unit_test(very_deep_folders_are_refused),
        cmocka_unit_test(files_without_labels_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
