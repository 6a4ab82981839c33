/* dataset: which side of the split a photo is on. */
#include "support.h"

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keras_split_of_3670_files(void **state)
{
    (void)state;
    static const size_t first[] = {553, 1394, 3208, 3240, 1805, 1770, 3552, 2919};
    static const size_t last[] = {1761, 3286, 1593, 1147, 2154, 3089,
                                  1766, 1122, 1346, 3454, 3437, 3582};
    static const size_t val[] = {2250, 1836, 789, 1254, 3374, 1709, 1799, 2818};
    static const size_t class_n[] = {633, 898, 641, 699, 799};
    static const size_t train_n[] = {504, 722, 521, 547, 642};
    enum { N = 3670 };
    hst_err e = {0};
    size_t *order = hst_alloc(N, sizeof *order, &e), at = 0;
    uint8_t *side = hst_alloc(N, 1, &e);
    check_ok(hst_split_keras(N, 0.2, 123, side, order, &e), &e);
    assert_memory_equal(order, first, sizeof first);
    assert_memory_equal(order + N - 12, last, sizeof last);
    assert_memory_equal(order + 2936, val, sizeof val);
    for (int c = 0; c < 5; c++) {
        size_t train = 0;
        for (size_t i = 0; i < class_n[c]; i++)
            train += side[at++] == HST_TRAIN;
        assert_int_equal(train, train_n[c]);
    }
    free(order);
    free(side);
}

static void keras_split_refuses_an_empty_side(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t side[8] = {9};
    assert_int_equal(hst_split_keras(4, 0.2, 1, side, NULL, &e), HST_EDATA);
    assert_int_equal(hst_split_keras(0, 0.2, 1, side, NULL, &e), HST_EDATA);
    assert_int_equal(hst_split_keras(1, 0.999, 1, side, NULL, &e), HST_EDATA);
    assert_int_equal(hst_split_keras(8, 0.2, 1ull << 32, side, NULL, &e), HST_EARG);
    assert_int_equal(hst_split_keras(8, 0.0 / 0.0, 1, side, NULL, &e), HST_EARG);
    assert_int_equal(side[0], 9); /* left as it was */
    check_ok(hst_split_keras(5, 0.2, UINT32_MAX, side, NULL, &e), &e);
}

static void keras_split_of_the_reference_tree(void **state)
{
    (void)state;
    char *path = hst_path_join(getenv("HEADSTART_ROOT"), "tests/golden/split/trees.json", NULL);
    json_error_t why;
    json_t *j = json_load_file(path, 0, &why), *results = json_object_get(j, "results");
    json_t *all =
        json_object_get(json_object_get(json_object_get(results, "no_shuffle"), "keras3"), "files");
    static const char *const keys[] = {"seed123_training", "seed123_validation"};
    size_t order[26], at = 0;
    uint8_t side[26];
    hst_err e = {0};
    check_ok(hst_split_keras(26, 0.2, 123, side, order, &e), &e);
    for (int k = 0; k < 2; k++) {
        json_t *want =
            json_object_get(json_object_get(json_object_get(results, keys[k]), "keras3"), "files");
        for (size_t i = 0; i < json_array_size(want); i++, at++) {
            assert_string_equal(json_string_value(json_array_get(all, order[at])),
                                json_string_value(json_array_get(want, i)));
            assert_int_equal(side[order[at]], k);
        }
    }
    assert_int_equal(at, 26);
    json_decref(j);
    free(path);
}

/* The lines of a text file, in a block to be freed after the array. */
static char **read_lines(const char *path, char **text, size_t *n)
{
    hst_err e = {0};
    uint8_t *data;
    size_t bytes, at = 0;
    check_ok(hst_file_read(path, 1 << 20, HST_EDATA, &data, &bytes, &e), &e);
    char **lines = hst_alloc(bytes + 1, sizeof *lines, &e), *save;
    for (char *s = strtok_r((char *)data, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
        lines[at++] = s;
    *text = (char *)data;
    *n = at;
    return lines;
}

/* The golden lists of one seed against the scan of dir. base: path up to the seed's number. */
static void check_flowers(const char *dir, const char *base, uint64_t seed)
{
    static const char *const names[] = {"training", "validation"};
    hst_err e = {0};
    hst_ctx ctx = {0};
    hst_data_opts o = hst_data_opts_default();
    o.split = "keras";
    o.seed = seed;
    hst_data *d = hst_data_open(&ctx, dir, &o, &e);
    if (!d)
        fail_msg("%s", e.msg);
    size_t at = 0, *order = hst_alloc(d->n_photos, sizeof *order, &e);
    uint8_t *side = hst_alloc(d->n_photos, 1, &e);
    check_ok(hst_split_keras(d->n_photos, 0.2, seed, side, order, &e), &e);
    for (int k = 0; k < 2; k++) {
        char *path, *text;
        size_t n;
        assert_true(asprintf(&path, "%s%d_%s.txt", base, (int)seed, names[k]) > 0);
        char **lines = read_lines(path, &text, &n);
        for (size_t i = 0; i < n; i++, at++) {
            assert_string_equal(d->photos[order[at]].relative, lines[i]);
            assert_int_equal(d->photos[order[at]].side, k);
        }
        free(lines);
        free(text);
        free(path);
    }
    assert_int_equal(at, 600);
    free(order);
    free(side);
    hst_data_free(d);
}

/* The photos themselves, where they are. */
static void check_photos(void)
{
    char *flowers = shared_path("data/datasets/flowers");
    char *one = shared_path("golden/split/flowers_seed0_training.txt");
    if (!flowers || !one) {
        free(flowers);
        free(one);
        return;
    }
    *(strstr(one, "_seed") + 5) = 0;
    check_flowers(flowers, one, 0);
    check_flowers(flowers, one, 42);
    check_flowers(flowers, one, 123);
    free(one);
    free(flowers);
}

/* Only names count: empty files of the same names, and the photos. */
static void keras_split_of_600_flowers(void **state)
{
    (void)state;
    static const char *const names[] = {"training", "validation"};
    hst_err e = {0};
    char *dir = temporary_folder();
    char *base = hst_path_join(getenv("HEADSTART_ROOT"), "tests/golden/split/flowers_seed", NULL);
    for (int k = 0; k < 2; k++) {
        char *path, *text;
        size_t n;
        assert_true(asprintf(&path, "%s42_%s.txt", base, names[k]) > 0);
        char **lines = read_lines(path, &text, &n);
        for (size_t i = 0; i < n; i++) {
            char *photo = hst_path_join(dir, lines[i], NULL), *slash = strrchr(photo, '/');
            *slash = 0;
            check_ok(hst_mkdirs(photo, &e), &e);
            *slash = '/';
            FILE *f = fopen(photo, "wb");
            assert_non_null(f);
            fclose(f);
            free(photo);
        }
        free(lines);
        free(text);
        free(path);
    }
    check_flowers(dir, base, 42);
    remove_tree(dir);
    free(base);
    free(dir);
    check_photos();
}

enum { MANY = 2000 };

/* MANY made-up photos of one class; photo i's content is its number. */
static void make_contents(hst_photo *photos, hst_digest *content)
{
    for (uint32_t i = 0; i < MANY; i++) {
        hst_err e = {0};
        check_ok(hst_sha256_bytes(&i, sizeof i, content[i].byte, &e), &e);
        photos[i] = (hst_photo){.path = "x", .relative = "x", .side = HST_UNSPLIT};
    }
}

static void stable_split_depends_on_content_and_seed(void **state)
{
    (void)state;
    static hst_photo photos[MANY];
    static hst_digest content[MANY];
    static uint8_t a[MANY], b[MANY];
    hst_err e = {0};
    hst_data d = {.dir = "x",
                  .n_classes = 1,
                  .photos = photos,
                  .n_photos = MANY,
                  .split = HST_SPLIT_STABLE,
                  .val_part = 0.2,
                  .seed = 42};
    size_t n_val = 0, moved = 0;
    make_contents(photos, content);
    check_ok(hst_split_assign(&d, content, NULL, a, &e), &e);
    for (size_t i = 0; i < MANY; i++)
        n_val += a[i] == HST_VALIDATION;
    assert_in_range(n_val, 340, 460); /* 400, standard deviation 18 */
    d.n_photos = MANY / 2;            /* others go */
    check_ok(hst_split_assign(&d, content, NULL, b, &e), &e);
    assert_memory_equal(a, b, MANY / 2);
    content[1] = content[0]; /* a copy, and one that could not be read */
    content[2] = (hst_digest){0};
    check_ok(hst_split_assign(&d, content, NULL, b, &e), &e);
    assert_int_equal(b[1], a[0]);
    assert_int_equal(b[2], HST_UNSPLIT);
    d.val_part = 0.4; /* a larger part only adds */
    check_ok(hst_split_assign(&d, content, NULL, b, &e), &e);
    for (size_t i = 3; i < MANY / 2; i++)
        assert_true(a[i] == HST_TRAIN || b[i] == HST_VALIDATION);
    d.val_part = 0.2;
    d.seed = 43;
    check_ok(hst_split_assign(&d, content, NULL, b, &e), &e);
    for (size_t i = 3; i < MANY / 2; i++)
        moved += a[i] != b[i];
    assert_in_range(moved, 200, 440); /* 320 expected */
}

/* sha256(2a 00 00 00 00 00 00 00 || sha256("")) from Python's hashlib, and the same of "@". */
static void stable_split_follows_its_formula(void **state)
{
    (void)state;
    const double number = 0.8663628879513114, larger = 0.9368316516301197;
    hst_digest content[2];
    hst_photo photos[2] = {{.path = "a"}, {.path = "b"}};
    hst_data d = {.dir = "photos",
                  .n_classes = 1,
                  .photos = photos,
                  .n_photos = 2,
                  .split = HST_SPLIT_STABLE,
                  .seed = 42};
    uint8_t side[2];
    hst_err e = {0};
    check_ok(hst_sha256_bytes("", 0, content[0].byte, &e), &e);
    check_ok(hst_sha256_bytes("@", 1, content[1].byte, &e), &e);
    d.val_part = number + 1e-9;
    check_ok(hst_split_assign(&d, content, NULL, side, &e), &e);
    assert_int_equal(side[0], HST_VALIDATION);
    assert_int_equal(side[1], HST_TRAIN);
    d.val_part = number - 1e-9;
    check_ok(hst_split_assign(&d, content, NULL, side, &e), &e);
    assert_int_equal(side[0], HST_TRAIN);
    d.val_part = larger + 1e-9; /* the largest number of its class */
    check_ok(hst_split_assign(&d, content, NULL, side, &e), &e);
    assert_int_equal(side[0], HST_VALIDATION);
    assert_int_equal(side[1], HST_TRAIN);
}

enum { CLASSES = 5, SEEDS = 100, MOST_A_CLASS = 6 };

/* A made-up data set of CLASSES classes, n photos each; no two contents are equal. */
typedef struct small_set {
    hst_photo photos[CLASSES * MOST_A_CLASS];
    hst_digest content[CLASSES * MOST_A_CLASS];
    hst_data d;
} small_set;

static void small_set_make(small_set *s, size_t n, uint64_t seed)
{
    hst_err e = {0};
    *s = (small_set){.d = {.dir = "x",
                           .n_classes = CLASSES,
                           .photos = s->photos,
                           .split = HST_SPLIT_STABLE,
                           .val_part = 0.2,
                           .seed = seed}};
    for (uint32_t c = 0; c < CLASSES; c++)
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t is[2] = {c, i};
            hst_photo *p = &s->photos[s->d.n_photos];
            *p = (hst_photo){.path = "x", .relative = "x", .label = (int)c};
            check_ok(hst_sha256_bytes(is, sizeof is, s->content[s->d.n_photos++].byte, &e), &e);
        }
}

static void every_class_keeps_a_photo_to_learn_from(void **state)
{
    (void)state;
    small_set s;
    hst_err e = {0};
    uint8_t side[CLASSES * MOST_A_CLASS];
    size_t n_val = 0;
    for (size_t n = 1; n <= MOST_A_CLASS; n++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            size_t train[CLASSES] = {0};
            small_set_make(&s, n, seed);
            s.d.val_part = seed % 2 ? 0.2 : 0.9;
            check_ok(hst_split_assign(&s.d, s.content, NULL, side, &e), &e);
            for (size_t i = 0; i < s.d.n_photos; i++) {
                train[s.photos[i].label] += side[i] == HST_TRAIN;
                n_val += side[i] == HST_VALIDATION;
            }
            for (int c = 0; c < CLASSES; c++)
                assert_true(train[c] > 0);
            assert_true(n > 1 || n_val == 0); /* a single photo is learned from */
        }
    assert_true(n_val > 0);
}

/* Photos that come or go move at most one photo of their class, and none of another class. */
static void photos_that_go_move_one_at_most(void **state)
{
    (void)state;
    small_set s;
    hst_err e = {0};
    uint8_t all[CLASSES * MOST_A_CLASS], some[CLASSES * MOST_A_CLASS];
    size_t moves = 0;
    for (size_t n = 2; n <= MOST_A_CLASS; n++)
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            for (size_t gone = 1; gone < n; gone++) {
                size_t moved[CLASSES] = {0};
                small_set_make(&s, n, seed);
                s.d.val_part = 0.5;
                check_ok(hst_split_assign(&s.d, s.content, NULL, all, &e), &e);
                for (size_t i = 0; i < gone; i++) /* the first ones of class 0 */
                    s.content[i] = (hst_digest){0};
                check_ok(hst_split_assign(&s.d, s.content, NULL, some, &e), &e);
                for (size_t i = gone; i < s.d.n_photos; i++)
                    moved[s.photos[i].label] += all[i] != some[i];
                assert_true(moved[0] <= 1);
                for (int c = 1; c < CLASSES; c++)
                    assert_int_equal(moved[c], 0);
                moves += moved[0];
            }
    assert_true(moves > 0); /* or nothing was tried */
}

/* One content in two classes, which only one of them keeps; and a file that is no photo. */
static void copies_stay_together_and_bad_files_do_not_count(void **state)
{
    (void)state;
    small_set s;
    hst_err e = {0};
    uint8_t side[CLASSES * MOST_A_CLASS];
    char bad[] = "not a photo", *why[CLASSES * MOST_A_CLASS] = {NULL};
    small_set_make(&s, 2, 7);
    s.d.val_part = 0.999999; /* all but the kept ones */
    check_ok(hst_split_assign(&s.d, s.content, NULL, side, &e), &e);
    size_t kept = side[0] == HST_TRAIN ? 0 : 1, other = 1 - kept;
    assert_int_equal(side[other], HST_VALIDATION);
    why[kept] = bad;
    check_ok(hst_split_assign(&s.d, s.content, why, side, &e), &e);
    assert_int_equal(side[other], HST_TRAIN);
    assert_int_equal(side[kept], HST_VALIDATION);
    for (size_t c = 1; c < CLASSES; c++) /* every class has the second photo of class 0 too */
        s.content[2 * c] = s.content[kept];
    why[kept] = NULL;
    check_ok(hst_split_assign(&s.d, s.content, why, side, &e), &e);
    for (size_t c = 0; c < CLASSES; c++)
        assert_int_equal(side[c ? 2 * c : kept], HST_TRAIN);
}

static void known_sides_stay(void **state)
{
    (void)state;
    hst_photo photos[2] = {{.side = HST_VALIDATION}, {.side = HST_TRAIN}};
    hst_data d = {.dir = "x", .photos = photos, .n_photos = 2, .split = HST_SPLIT_FOLDERS};
    uint8_t side[2];
    hst_err e = {0};
    check_ok(hst_split_assign(&d, NULL, NULL, side, &e), &e);
    assert_int_equal(side[0], HST_VALIDATION);
    assert_int_equal(side[1], HST_TRAIN);
    d.split = HST_SPLIT_NONE;
    photos[0].side = photos[1].side = HST_UNSPLIT;
    check_ok(hst_split_assign(&d, NULL, NULL, side, &e), &e);
    assert_int_equal(side[0], HST_UNSPLIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keras_split_of_3670_files),
        cmocka_unit_test(keras_split_refuses_an_empty_side),
        cmocka_unit_test(keras_split_of_the_reference_tree),
        cmocka_unit_test(keras_split_of_600_flowers),
        cmocka_unit_test(stable_split_depends_on_content_and_seed),
        cmocka_unit_test(stable_split_follows_its_formula),
        cmocka_unit_test(every_class_keeps_a_photo_to_learn_from),
        cmocka_unit_test(photos_that_go_move_one_at_most),
        cmocka_unit_test(copies_stay_together_and_bad_files_do_not_count),
        cmocka_unit_test(known_sides_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
