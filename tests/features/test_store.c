/* The feature store: it saves every forward pass it can, and nothing that happens to it harms the
 * job. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "base/mem.h"
#include "features/store.h"
#include "nn/plan.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PHOTOS = 6 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *cache, *photos;
    char store[4096], path[PHOTOS][4096];
    char said[4096]; /* what was logged */
} scene;

static void hear(void *arg, int level, const char *line)
{
    scene *s = arg;
    (void)level;
    size_t n = strlen(s->said);
    snprintf(s->said + n, sizeof s->said - n, "%s\n", line);
}

static hst_ctx *open_ctx(scene *s, int rehash, uint64_t most, const char *cpu)
{
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.cpu = cpu;
    cfg.rehash = rehash;
    cfg.cache_dir = s->cache;
    cfg.log = hear;
    cfg.log_arg = s;
    if (most)
        cfg.store_max_bytes = most;
    hst_ctx *ctx = hst_open(&cfg, &err);
    check_ok(ctx == NULL, &err);
    return ctx;
}

/* A picture of an hour ago: what changed a moment ago is not remembered. */
static void draw(const char *path, uint64_t seed, time_t age_s)
{
    made_up_png(path, 40, 36, seed);
    struct timespec t[2] = {{.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void set_up(scene *s)
{
    hst_err err = {0};
    const char *paths[PHOTOS];
    memset(s, 0, sizeof *s);
    s->cache = temporary_folder();
    s->photos = temporary_folder();
    s->ctx = open_ctx(s, 0, 0, NULL);
    s->b = made_up_backbone(s->ctx, 1);
    snprintf(s->store, sizeof s->store, "%s/%s", s->cache, HST_STORE_NAME);
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(s->path[i], sizeof s->path[i], "%s/%d.png", s->photos, i);
        draw(s->path[i], 10 + (uint64_t)i, 3600);
        paths[i] = s->path[i];
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

static hst_features *compute(scene *s, hst_ctx *ctx, const hst_backbone *b, const char *prepare)
{
    hst_err err = {0};
    s->said[0] = 0;
    hst_features *f = hst_features_compute(ctx, b, s->d, prepare, &err);
    check_ok(f == NULL, &err);
    assert_int_equal(hst_features_used(f), PHOTOS);
    return f;
}

/* How many of the photos came from the store. */
static size_t stored(scene *s, hst_ctx *ctx, const hst_backbone *b, const char *prepare)
{
    hst_features *f = compute(s, ctx, b, prepare);
    size_t n = hst_features_stored(f);
    hst_features_free(f);
    return n;
}

static size_t again(scene *s)
{
    return stored(s, s->ctx, s->b, NULL);
}

static void check_said(const scene *s, const char *what)
{
    if (!strstr(s->said, what))
        fail_msg("not said: '%s', but: '%s'", what, s->said);
}

static void second_time_no_forward_pass(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    hst_features *a = compute(&s, s.ctx, s.b, NULL), *b = compute(&s, s.ctx, s.b, NULL);
    assert_int_equal(hst_features_stored(a), 0);
    assert_int_equal(hst_features_stored(b), PHOTOS);
    assert_memory_equal(a->x, b->x, a->n * (size_t)a->dim * sizeof *a->x);
    for (size_t i = 0; i < PHOTOS; i++)
        assert_string_equal(hst_features_sha256(a, i), hst_features_sha256(b, i));
    assert_string_equal(s.said, "");
    hst_features_free(a);
    hst_features_free(b);
    tear_down(&s);
}

static void key_holds_all_that_matters(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    hst_backbone *other = made_up_backbone(s.ctx, 2);
    hst_backbone *low = hst_backbone_in(s.ctx, s.b, HST_PRECISION_BF16, NULL);
    assert_int_equal(again(&s), 0);
    assert_int_equal(stored(&s, s.ctx, low, NULL), 0);
    assert_int_equal(stored(&s, s.ctx, s.b, "tf"), 0);
    assert_int_equal(stored(&s, s.ctx, other, NULL), 0);
    hst_ctx *portable = open_ctx(&s, 0, 0, "portable");
    if (portable->kernels != s.ctx->kernels) {
        hst_backbone *same = made_up_backbone(portable, 1);
        assert_int_equal(stored(&s, portable, same, NULL), 0);
        assert_int_equal(stored(&s, portable, same, NULL), PHOTOS);
        hst_backbone_free(same);
    }
    assert_int_equal(again(&s), PHOTOS);
    assert_int_equal(stored(&s, s.ctx, s.b, "tf"), PHOTOS);
    assert_int_equal(stored(&s, s.ctx, other, NULL), PHOTOS);
    assert_int_equal(stored(&s, s.ctx, low, NULL), PHOTOS);
    hst_backbone_free(low);
    hst_backbone_free(other);
    hst_close(portable);
    tear_down(&s);
}

static void changed_files_are_read_again(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    struct stat st;
    assert_int_equal(again(&s), 0);
    assert_int_equal(stat(s.path[0], &st), 0);
    draw(s.path[0], 99, 1800);
    assert_int_equal(truncate(s.path[0], st.st_size + 100), 0); /* noise: one size but for a few */
    draw(s.path[1], 98, 1800);
    assert_int_equal(truncate(s.path[1], st.st_size + 100), 0);
    assert_int_equal(again(&s), PHOTOS - 2);
    draw(s.path[1], 99, 900); /* now the same size, other bytes, a newer time */
    assert_int_equal(truncate(s.path[1], st.st_size + 100), 0);
    draw(s.path[2], 12, 900); /* the same bytes under a newer time: hashed, not computed */
    hst_features *f = hst_features_compute(s.ctx, s.b, s.d, NULL, NULL);
    assert_non_null(f);
    assert_int_equal(hst_features_stored(f), PHOTOS);
    assert_string_equal(hst_features_sha256(f, 0), hst_features_sha256(f, 1));
    hst_features_free(f);
    tear_down(&s);
}

/* A file that was put in place with its old size and time: only --rehash sees that. */
static void rehash_reads_everything(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    uint8_t *bytes = NULL;
    size_t n;
    hst_err err = {0};
    struct stat st;
    assert_int_equal(again(&s), 0);
    assert_int_equal(stat(s.path[0], &st), 0);
    check_ok(hst_file_read(s.path[0], 1 << 20, HST_EIO, &bytes, &n, &err), &err);
    bytes[n - 1] ^= 1; /* in the checksum of the last chunk, which is empty */
    FILE *f = fopen(s.path[0], "r+b");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    struct timespec t[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, s.path[0], t, 0), 0);
    assert_int_equal(again(&s), PHOTOS);
    hst_ctx *rehash = open_ctx(&s, 1, 0, NULL);
    hst_features *g = hst_features_compute(rehash, s.b, s.d, NULL, &err);
    check_ok(g == NULL, &err);
    assert_int_equal(hst_features_stored(g), PHOTOS - 1);
    hst_features_free(g);
    hst_close(rehash);
    free(bytes);
    tear_down(&s);
}

static void two_processes_share_it(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    pid_t pid[2];
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            hst_features *f = hst_features_compute(s.ctx, s.b, s.d, NULL, NULL);
            _exit(f && hst_features_used(f) == PHOTOS && !s.said[0] ? 0 : 1);
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = 1;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(again(&s), PHOTOS);
    tear_down(&s);
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void damage_is_set_aside(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    uint8_t *whole = NULL;
    size_t n;
    hst_err err = {0};
    assert_int_equal(again(&s), 0);
    hst_features *want = compute(&s, s.ctx, s.b, NULL);
    check_ok(hst_file_read(s.store, 1 << 24, HST_EIO, &whole, &n, &err), &err);
    uint8_t *bad = malloc(n);
    for (int i = 0; i < 40; i++) {
        size_t keep = i < 20 ? n * (size_t)i / 20 : n;
        memcpy(bad, whole, n);
        for (size_t at = 200 * (size_t)i; i >= 20 && at < n; at += 977)
            bad[at] ^= 0x55;
        check_ok(hst_store_clear(s.ctx, &err), &err);
        put(s.store, bad, keep);
        hst_features *f = compute(&s, s.ctx, s.b, NULL);
        assert_memory_equal(f->x, want->x, want->n * (size_t)want->dim * sizeof *want->x);
        hst_features_free(f);
        f = compute(&s, s.ctx, s.b, NULL);
        assert_memory_equal(f->x, want->x, want->n * (size_t)want->dim * sizeof *want->x);
        hst_features_free(f);
    }
    memset(bad, 'x', n);
    check_ok(hst_store_clear(s.ctx, &err), &err);
    put(s.store, bad, n);
    assert_int_equal(again(&s), 0);
    check_said(&s, "is damaged: set aside");
    assert_int_equal(again(&s), PHOTOS);
    hst_features_free(want);
    free(bad);
    free(whole);
    tear_down(&s);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void other_versions_are_left_alone(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    assert_int_equal(again(&s), 0);
    sql(s.store, "PRAGMA user_version=99");
    assert_int_equal(again(&s), 0);
    check_said(&s, "is of another version");
    sql(s.store, "PRAGMA user_version=1");
    assert_int_equal(again(&s), PHOTOS);
    tear_down(&s);
}

/* Every way another process may hold it costs the job a few seconds in all. */
static void locked_costs_little(void **state)
{
    (void)state;
    static const char *const modes[] = {"PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE",
                                        "BEGIN IMMEDIATE"};
    scene s;
    set_up(&s);
    assert_int_equal(again(&s), 0);
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = NULL;
        draw(s.path[0], 200 + i, 3600); /* there is something to be written */
        assert_int_equal(sqlite3_open(s.store, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, modes[i], NULL, NULL, NULL), SQLITE_OK);
        double begun = hst_now_s();
        again(&s);
        assert_true(hst_now_s() - begun < 8);
        check_said(&s, "going on without it");
        sqlite3_close(db);
    }
    assert_int_equal(again(&s), PHOTOS - 1);
    tear_down(&s);
}

static void *let_go_later(void *db)
{
    usleep(2500 * 1000);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return NULL;
}

/* Another process that writes is waited for: nothing is lost, and nothing said. */
static void busy_is_waited_for(void **state)
{
    (void)state;
    scene s;
    sqlite3 *db = NULL;
    pthread_t other;
    set_up(&s);
    hst_store_close(hst_store_open(s.ctx));
    assert_int_equal(sqlite3_open(s.store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&other, NULL, let_go_later, db), 0);
    assert_int_equal(again(&s), 0);
    pthread_join(other, NULL);
    sqlite3_close(db);
    assert_string_equal(s.said, "");
    assert_int_equal(again(&s), PHOTOS);
    tear_down(&s);
}

/* More than one transaction's worth, while another process holds it, is kept until it lets go. */
static void what_cannot_be_written_waits(void **state)
{
    (void)state;
    enum { ROWS = 450, DIM = 4 };
    scene s;
    sqlite3 *db = NULL;
    const hst_store_kind kind = {.dim = DIM};
    float x[DIM] = {0};
    hst_digest content = {{1}};
    set_up(&s);
    hst_store *store = hst_store_open(s.ctx);
    assert_int_equal(sqlite3_open(s.store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < ROWS; i++) {
        content.byte[1] = (uint8_t)i;
        content.byte[2] = (uint8_t)(i >> 8);
        x[0] = (float)i;
        hst_store_put(store, &kind, &content, x);
    }
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    hst_store_close(store);
    assert_string_equal(s.said, "");
    store = hst_store_open(s.ctx);
    for (int i = 0; i < ROWS; i++) {
        content.byte[1] = (uint8_t)i;
        content.byte[2] = (uint8_t)(i >> 8);
        assert_true(hst_store_get(store, &kind, &content, x) && x[0] == (float)i);
    }
    hst_store_close(store);
    tear_down(&s);
}

/* A job that is under way when the store is emptied keeps what it finds from then on. */
static void emptied_under_a_job(void **state)
{
    (void)state;
    scene s;
    hst_err err = {0};
    const hst_store_kind kind = {.dim = 1};
    const hst_digest before = {{1}}, after = {{2}};
    float x = 7;
    set_up(&s);
    hst_store *job = hst_store_open(s.ctx);
    hst_store_put(job, &kind, &before, &x);
    hst_store_close(job);
    job = hst_store_open(s.ctx);
    assert_true(hst_store_get(job, &kind, &before, &x));
    check_ok(hst_store_clear(s.ctx, &err), &err);
    assert_false(hst_store_get(job, &kind, &before, &x));
    hst_store_put(job, &kind, &after, &x);
    hst_store_close(job);
    job = hst_store_open(s.ctx);
    assert_true(hst_store_get(job, &kind, &after, &x));
    hst_store_close(job);
    assert_string_equal(s.said, "");
    tear_down(&s);
}

/* What lies in a cache that cannot be written is used all the same. */
static void read_only_is_read(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    scene s;
    hst_err err = {0};
    hst_store_info info = {.size = sizeof info};
    const int root = geteuid() == 0;
    set_up(&s);
    assert_int_equal(again(&s), 0);
    assert_int_equal(chmod(s.store, 0444) | chmod(s.cache, 0555) | chmod(s.photos, 0755), 0);
    draw(s.path[0], 300, 7200); /* there is something to be written */
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    const size_t n = again(&s);
    const int rc = hst_store_describe(s.ctx, &info, &err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(s.cache, 0755), 0);
    assert_int_equal(n, PHOTOS - 1);
    check_said(&s, "cannot be written: what it knows is used, nothing is added");
    check_ok(rc, &err);
    assert_int_equal(info.vectors, PHOTOS);
    tear_down(&s);
}

static void nowhere_to_write(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    char *real = s.cache, file[4096];
    snprintf(file, sizeof file, "%s/file/inside", real);
    *strrchr(file, '/') = 0;
    put(file, "x", 1);
    file[strlen(file)] = '/';
    s.cache = file;
    hst_ctx *ctx = open_ctx(&s, 0, 0, NULL);
    assert_int_equal(stored(&s, ctx, s.b, NULL), 0);
    check_said(&s, "no feature store");
    hst_close(ctx);
    s.cache = real;
    tear_down(&s);
}

static void read_only_folder(void **state)
{
    (void)state;
    scene s;
    const uid_t user = geteuid();
    if (user == 0) /* who may write everywhere: this one test as nobody */
        assert_int_equal(seteuid(65534), 0);
    set_up(&s);
    assert_int_equal(chmod(s.cache, 0500), 0);
    assert_int_equal(again(&s), 0);
    check_said(&s, "going on without it");
    assert_int_equal(chmod(s.cache, 0700), 0);
    tear_down(&s);
    assert_int_equal(seteuid(user), 0);
}

/* The one number that a query of the store gives. */
static int number(const scene *s, const char *query)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_open(s->store, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

/* The same pixels in another file: other bytes, the same picture. */
static void pictures_are_kept_too(void **state)
{
    (void)state;
    scene s;
    uint8_t *bytes = NULL;
    size_t n;
    hst_err err = {0};
    set_up(&s);
    check_ok(hst_file_read(s.path[0], 1 << 20, HST_EIO, &bytes, &n, &err), &err);
    put(s.path[1], bytes, n);
    assert_int_equal(truncate(s.path[1], (off_t)n + 100), 0); /* behind the last chunk */
    free(bytes);
    hst_features *a = compute(&s, s.ctx, s.b, NULL);
    assert_string_not_equal(hst_features_sha256(a, 0), hst_features_sha256(a, 1));
    assert_true(a->picture[0].pixels == a->picture[1].pixels);
    assert_true(a->picture[0].pixels != a->picture[2].pixels);
    assert_true(a->picture[0].pixels != 0);
    assert_int_equal(number(&s, "SELECT count(*) FROM pictures"), PHOTOS);
    assert_int_equal(number(&s, "SELECT count(*) FROM vectors"), PHOTOS);
    sql(s.store, "DELETE FROM pictures WHERE id < 3"); /* a picture alone is computed as well */
    hst_features *b = compute(&s, s.ctx, s.b, NULL);
    assert_memory_equal(a->picture, b->picture, PHOTOS * sizeof *a->picture);
    assert_int_equal(hst_features_stored(b), PHOTOS);
    assert_int_equal(number(&s, "SELECT count(*) FROM pictures"), PHOTOS);
    hst_features_free(a);
    hst_features_free(b);
    tear_down(&s);
}

static void cap_drops_the_oldest(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    hst_ctx *small = open_ctx(&s, 0, 36 * 1024, NULL);
    hst_store_info info = {.size = sizeof info};
    hst_err err = {0};
    assert_int_equal(stored(&s, small, s.b, NULL), 0);
    check_ok(hst_store_describe(small, &info, &err), &err);
    assert_in_range(info.vectors, 1, PHOTOS - 1);
    assert_int_equal(number(&s, "SELECT max(id) FROM vectors"), PHOTOS); /* counted as they came */
    assert_int_equal(number(&s, "SELECT min(id) FROM vectors"), PHOTOS + 1 - (int)info.vectors);
    size_t kept = stored(&s, small, s.b, NULL);
    assert_int_equal(kept, info.vectors);
    hst_close(small);
    tear_down(&s);
}

/* No more room for files than a few pages: as on a full disk. */
static void no_space(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit most = {20 * 1024, 20 * 1024};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &most);
        hst_features *f = hst_features_compute(s.ctx, s.b, s.d, NULL, NULL);
        int fine = f && hst_features_used(f) == PHOTOS && strstr(s.said, "going on without it");
        _exit(fine ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    again(&s);
    assert_int_equal(again(&s), PHOTOS);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_time_no_forward_pass),
        cmocka_unit_test(key_holds_all_that_matters),
        cmocka_unit_test(changed_files_are_read_again),
        cmocka_unit_test(rehash_reads_everything),
        cmocka_unit_test(two_processes_share_it),
        cmocka_unit_test(damage_is_set_aside),
        cmocka_unit_test(other_versions_are_left_alone),
        cmocka_unit_test(locked_costs_little),
        cmocka_unit_test(busy_is_waited_for),
        cmocka_unit_test(what_cannot_be_written_waits),
        cmocka_unit_test(emptied_under_a_job),
        cmocka_unit_test(read_only_is_read),
        cmocka_unit_test(nowhere_to_write),
        cmocka_unit_test(read_only_folder),
        cmocka_unit_test(pictures_are_kept_too),
        cmocka_unit_test(cap_drops_the_oldest),
        cmocka_unit_test(no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
