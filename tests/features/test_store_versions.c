/* The feature store and the libraries that decode: what one version of a library gave is not taken
 * for what another gives, and photos that this process decodes itself do not depend on it. */
#include "made_up.h"
#include "support.h"

#include "base/context.h"
#include "base/mem.h"
#include "features/store.h"
#include "images/decoders.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { TIFF_NAMED_SO, TIFF_NAMED_JPG, PNG, PHOTOS };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *cache, *photos;
    char path[PHOTOS][4096];
} scene;

static void put(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* fake_decoder, which says that every format's library is `version`, and shows black. */
static void decode_with(scene *s, const char *version)
{
    hst_err err = {0};
    hst_decoders_free(s->ctx->decoders);
    setenv("HST_FAKE", version, 1);
    s->ctx->decoders = hst_decoders_new(getenv("HEADSTART_FAKE_DECODER"), &err);
    check_ok(s->ctx->decoders == NULL, &err);
}

static void set_up(scene *s)
{
    static const char *const names[PHOTOS] = {"a.tif", "b.jpg", "c.png"};
    const char *paths[PHOTOS];
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    memset(s, 0, sizeof *s);
    s->cache = temporary_folder();
    s->photos = temporary_folder();
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.cache_dir = s->cache;
    s->ctx = hst_open(&cfg, &err);
    check_ok(s->ctx == NULL, &err);
    s->b = made_up_backbone(s->ctx, 1);
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(s->path[i], sizeof s->path[i], "%s/%s", s->photos, names[i]);
        paths[i] = s->path[i];
        if (i == PNG)
            made_up_png(s->path[i], 40, 36, 7);
        else
            put(s->path[i], i ? "II*\0 one" : "MM\0* other", 8);
        const time_t then = time(NULL) - 3600; /* what changed a moment ago is not remembered */
        const struct timespec t[2] = {{.tv_sec = then}, {.tv_sec = then}};
        assert_int_equal(utimensat(AT_FDCWD, s->path[i], t, 0), 0);
    }
    s->d = hst_data_from_files(paths, PHOTOS, &err);
    check_ok(s->d == NULL, &err);
}

static void tear_down(scene *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->cache);
    remove_tree(s->photos);
    free(s->cache);
    free(s->photos);
}

/* How many of the photos came from the store. */
static size_t stored(scene *s)
{
    hst_err err = {0};
    hst_features *f = hst_features_compute(s->ctx, s->b, s->d, NULL, &err);
    check_ok(f == NULL, &err);
    assert_int_equal(hst_features_used(f), PHOTOS);
    const size_t n = hst_features_stored(f);
    hst_features_free(f);
    return n;
}

static void another_version_is_computed_again(void **state)
{
    (void)state;
    need_part("libtiff");
    scene s;
    set_up(&s);
    decode_with(&s, "library 1");
    assert_int_equal(stored(&s), 0);
    assert_int_equal(stored(&s), PHOTOS);
    decode_with(&s, "library 2");
    assert_int_equal(stored(&s), 1); /* the PNG */
    assert_int_equal(stored(&s), PHOTOS);
    decode_with(&s, "library 1"); /* both are kept */
    assert_int_equal(stored(&s), PHOTOS);
    tear_down(&s);
}

static void change(const scene *s, const char *sql)
{
    char path[4200];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", s->cache, HST_STORE_NAME);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    sqlite3_close(db);
}

/* The format that is known of photo i; -1: the file is not known. */
static int known(const scene *s, int i)
{
    hst_digest content;
    enum hst_format format;
    struct stat st;
    hst_store *store = hst_store_open(s->ctx);
    assert_non_null(store);
    assert_int_equal(stat(s->path[i], &st), 0);
    const int is = hst_store_known_file(store, s->path[i], &st, &content, &format);
    hst_store_close(store);
    return is ? (int)format : -1;
}

/* A row whose format is damaged is not believed. */
static void a_format_is_bound_to_its_file(void **state)
{
    (void)state;
    need_part("libtiff");
    scene s;
    set_up(&s);
    decode_with(&s, "library 1");
    assert_int_equal(known(&s, TIFF_NAMED_SO), -1);
    assert_int_equal(stored(&s), 0);
    assert_int_equal(known(&s, TIFF_NAMED_SO), HST_FORMAT_TIFF);
    assert_int_equal(known(&s, TIFF_NAMED_JPG), HST_FORMAT_TIFF);
    assert_int_equal(known(&s, PNG), HST_FORMAT_UNKNOWN);
    change(&s, "UPDATE files SET sha256 = substr(sha256, 1, 128) || '|07' "
               "WHERE length(sha256) > 128");
    assert_int_equal(known(&s, TIFF_NAMED_SO), -1);
    change(&s, "UPDATE files SET sha256 = substr(sha256, 1, 128) WHERE length(sha256) > 128");
    assert_int_equal(known(&s, TIFF_NAMED_JPG), -1);
    assert_int_equal(stored(&s), PHOTOS); /* by the bytes */
    tear_down(&s);
}

static void a_row_without_a_format_is_not_used(void **state)
{
    (void)state;
    scene s;
    struct stat st;
    const hst_digest content = {{1}};
    set_up(&s);
    for (int i = 0; i < PHOTOS; i++) {
        hst_store *store = hst_store_open(s.ctx);
        assert_int_equal(stat(s.path[i], &st), 0);
        hst_store_remember_file(store, &st, &content, HST_FORMAT_UNKNOWN);
        hst_store_close(store);
    }
    assert_int_equal(known(&s, TIFF_NAMED_SO), -1);
    assert_int_equal(known(&s, PNG), HST_FORMAT_UNKNOWN);
    tear_down(&s);
}

static void what_stands_for_a_photo(void **state)
{
    (void)state;
    scene s;
    const hst_digest content = {{1, 2, 3}};
    hst_digest key, other;
    set_up(&s);
    decode_with(&s, "library 1");
    assert_true(hst_store_photo_key(s.ctx, &content, HST_FORMAT_JPEG, &key));
    assert_memory_equal(&key, &content, sizeof key);
    assert_true(hst_store_photo_key(s.ctx, &content, HST_FORMAT_HEIC, &key));
    assert_memory_not_equal(&key, &content, sizeof key);
    decode_with(&s, "library 2");
    assert_true(hst_store_photo_key(s.ctx, &content, HST_FORMAT_HEIC, &other));
    assert_memory_not_equal(&key, &other, sizeof key);
    decode_with(&s, "mute"); /* no version is to be had */
    assert_false(hst_store_photo_key(s.ctx, &content, HST_FORMAT_HEIC, &key));
    assert_false(hst_digest_is_set(&key));
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_version_is_computed_again),
        cmocka_unit_test(a_format_is_bound_to_its_file),
        cmocka_unit_test(a_row_without_a_format_is_not_used),
        cmocka_unit_test(what_stands_for_a_photo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
