/* inspection: every kind of finding, from what is remembered of photos and from folders. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "features/pictures.h"
#include "inspection/inspection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

/* ---- photos that are nowhere ---- */

enum { N = 12, CLASSES = 2 };

/* Photos 0 .. 5 of class "ant", 6 .. 11 of "bee", to learn from but for the last of each. */
typedef struct scene {
    hst_photo photo[N];
    hst_picture picture[N];
    char *why[N];
    uint8_t side[N];
    hst_near_pair pair[8];
    size_t group[N];
    hst_near near;
    hst_data data;
    hst_inspected in;
} scene;

static const char *classes[CLASSES] = {"ant", "bee"};
static const char *const paths[N] = {"d/ant/0.jpg", "d/ant/1.jpg", "d/ant/2.jpg", "d/ant/3.jpg",
                                     "d/ant/4.jpg", "d/ant/5.jpg", "d/bee/0.jpg", "d/bee/1.jpg",
                                     "d/bee/2.jpg", "d/bee/3.jpg", "d/bee/4.jpg", "d/bee/5.jpg"};

static void set_up(scene *s)
{
    *s = (scene){0};
    for (size_t i = 0; i < N; i++) {
        s->photo[i] = (hst_photo){.path = paths[i], .relative = paths[i] + 2, .label = i >= N / 2};
        s->side[i] = i % 6 == 5 ? HST_VALIDATION : HST_TRAIN;
        s->picture[i] = (hst_picture){
            .pixels = 100 + i,
            .w = 500,
            .h = 333,
            .file = {.w = 500, .h = 333, .format = HST_FORMAT_JPEG, .bits = 8, .orientation = 1},
            .brightness = 120,
            .contrast = 50,
            .dark = 10,
            .bright = 240,
            .colors = 60,
            .sharpness = 0.4f};
    }
    s->near = (hst_near){.n = N, .group = s->group, .pair = s->pair};
    s->data = (hst_data){.dir = "d",
                         .classes = classes,
                         .n_classes = CLASSES,
                         .photos = s->photo,
                         .n_photos = N,
                         .split = HST_SPLIT_FOLDERS};
    s->in = (hst_inspected){
        .data = &s->data, .picture = s->picture, .why = s->why, .side = s->side, .near = &s->near};
}

static hst_inspection *inspect(const scene *s)
{
    hst_err err = {0};
    hst_inspection *r = hst_inspection_make(&s->in, &err);
    check_ok(r == NULL, &err);
    return r;
}

/* The kinds that are found, with spaces between. */
static const char *kinds(const hst_inspection *r, char text[1024])
{
    const hst_inspection_finding *f;
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; (f = hst_inspection_at(r, i)); i++)
        n += (size_t)snprintf(text + n, 1024 - n, "%s%s", n ? " " : "", f->kind);
    return text;
}

static void expect(const scene *s, const char *want)
{
    char text[1024];
    hst_inspection *r = inspect(s);
    assert_string_equal(kinds(r, text), want);
    hst_inspection_free(r);
}

static void good_photos_are_left_alone(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    expect(&s, "");
}

static void what_is_measured(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    hst_picture *p = s.picture;
    p[1].bright = 63;
    expect(&s, "dark");
    p[1].bright = 64;
    expect(&s, "");
    p[1].dark = 201;
    expect(&s, "overexposed");
    p[1].dark = 200;
    p[2].sharpness = 0.159f;
    expect(&s, "blurred");
    p[2].sharpness = 0.161f;
    p[3].colors = 5.9f;
    p[3].bright = 20; /* not dark besides */
    expect(&s, "uniform");
    set_up(&s);
    p[4].w = 63;
    p[4].h = 80;
    expect(&s, "tiny");
    p[4].w = 600;
    p[4].h = 200;
    expect(&s, "extreme-aspect");
    p[4].w = 599;
    expect(&s, "");
}

static void what_headers_say(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    hst_facts *f = &s.picture[0].file;
    f->format = HST_FORMAT_PNG;
    expect(&s, "extension");
    f->format = HST_FORMAT_JPEG;
    f->orientation = 6;
    expect(&s, "exif-rotated");
    f->orientation = 1;
    f->flags = HST_IS_CMYK;
    expect(&s, "cmyk");
    f->flags = HST_HAS_ALPHA;
    expect(&s, "alpha");
    f->flags = HST_IS_ANIMATED;
    expect(&s, "animated");
    f->flags = 0;
    f->bits = 16;
    expect(&s, "16-bit");
    f->flags = HST_IS_ANIMATED | HST_HAS_ALPHA;
    f->orientation = 3;
    f->format = HST_FORMAT_GIF;
    expect(&s, "extension exif-rotated 16-bit alpha animated");
}

static void what_cannot_be_used_says_why(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    s.why[3] = "not a picture";
    s.why[8] = "truncated JPEG: the file ends before the picture does";
    s.picture[3].pixels = s.picture[8].pixels = 0;
    hst_inspection *r = inspect(&s);
    const hst_inspection_finding *f = hst_inspection_at(r, 0);
    assert_string_equal(f->kind, "undecodable");
    assert_string_equal(f->what, "not a picture");
    assert_int_equal(f->n_paths, 1);
    assert_string_equal(f->paths[0], "d/ant/3.jpg");
    assert_int_equal(f->severity, HST_SEVERITY_ERROR);
    assert_true(f->size == sizeof *f && strlen(f->title) > 5 && strlen(f->advice) > 20);
    f = hst_inspection_at(r, 1);
    assert_string_equal(f->kind, "truncated");
    assert_string_equal(f->paths[0], "d/bee/2.jpg");
    assert_null(hst_inspection_at(r, 2));
    assert_int_equal(hst_inspection_used(r), N - 2);
    hst_inspection_free(r);
}

static void add_pair(scene *s, size_t a, size_t b, float likeness)
{
    s->pair[s->near.n_pairs++] = (hst_near_pair){a, b, likeness, 0};
    if (likeness == 1)
        s->picture[b].pixels = s->picture[a].pixels;
}

static void an_index_is_told(void **state)
{
    (void)state;
    scene s;
    set_up(&s);
    s.near.n_indexed = 30000;
    hst_inspection *r = inspect(&s);
    const hst_inspection_finding *f = hst_inspection_at(r, 0);
    assert_string_equal(f->kind, "near-copies-index");
    assert_non_null(strstr(f->what, "of 30000 different pictures"));
    assert_string_equal(f->paths[0], "d");
    assert_null(hst_inspection_at(r, 1));
    hst_inspection_free(r);
}

static void copies_by_the_worst_that_is_so_of_them(void **state)
{
    (void)state;
    static const struct {
        size_t a, b;
        float likeness;
        enum hst_split split;
        const char *want;
    } cases[] = {{0, 1, 1, HST_SPLIT_FOLDERS, "copies"},
                 {0, 1, .9f, HST_SPLIT_FOLDERS, "near-copies"},
                 {0, 7, 1, HST_SPLIT_FOLDERS, "copies-across-classes"},
                 {0, 7, .9f, HST_SPLIT_FOLDERS, "near-copies-across-classes"},
                 {0, 5, 1, HST_SPLIT_FOLDERS, "copies-across-sides"},
                 {0, 5, 1, HST_SPLIT_STABLE, "near-copies-across-sides"},
                 {0, 5, .9f, HST_SPLIT_STABLE, "near-copies-across-sides"},
                 {0, 11, 1, HST_SPLIT_STABLE, "copies-across-classes"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s;
        set_up(&s);
        s.data.split = cases[i].split;
        add_pair(&s, cases[i].a, cases[i].b, cases[i].likeness);
        expect(&s, cases[i].want);
    }
}

static void copies_are_groups(void **state)
{
    (void)state;
    scene s;
    char text[1024];
    set_up(&s);
    add_pair(&s, 0, 2, 1); /* 0, 2, 3 are one picture; 1 and 4 are like it */
    add_pair(&s, 0, 3, 1);
    add_pair(&s, 0, 4, .9f);
    add_pair(&s, 1, 4, .95f);
    add_pair(&s, 6, 7, .9f);
    s.picture[1].bright = 30;
    hst_inspection *r = inspect(&s);
    assert_string_equal(kinds(r, text), "dark copies near-copies near-copies");
    const hst_inspection_finding *f = hst_inspection_at(r, 1);
    assert_int_equal(f->n_paths, 3);
    assert_string_equal(f->paths[2], "d/ant/3.jpg");
    f = hst_inspection_at(r, 2); /* the most alike first */
    assert_int_equal(f->n_paths, 5);
    assert_string_equal(f->what, "a near copy (likeness 0.95)");
    assert_int_equal(hst_inspection_at(r, 3)->n_paths, 2);
    hst_inspection_free(r);
}

static void the_worst_comes_first(void **state)
{
    (void)state;
    scene s;
    char text[1024];
    set_up(&s);
    s.picture[0].file.orientation = 3;
    s.picture[1].bright = 50;
    s.picture[2].bright = 20;
    s.why[9] = "damaged";
    add_pair(&s, 4, 8, 1);
    hst_inspection *r = inspect(&s);
    assert_string_equal(kinds(r, text), "undecodable copies-across-classes dark dark exif-rotated");
    assert_string_equal(hst_inspection_at(r, 2)->paths[0], "d/ant/2.jpg");
    for (size_t i = 1; hst_inspection_at(r, i); i++)
        assert_true(hst_inspection_at(r, i)->severity <= hst_inspection_at(r, i - 1)->severity);
    hst_inspection_free(r);
}

/* ---- folders ---- */

typedef struct folder {
    char *path, *cache;
    hst_ctx *ctx;
} folder;

static void put(const folder *f, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_folder(const folder *f, const char *name, int photos, uint64_t seed)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_int_equal(mkdir(path, 0777), 0);
    for (int i = 0; i < photos; i++) {
        snprintf(path, sizeof path, "%s/%s/%d.png", f->path, name, i);
        made_up_png(path, 70, 80, seed * 1000 + (uint64_t)i);
        /* of an hour ago: what changed a moment ago is not remembered */
        assert_int_equal(utime(path, &(struct utimbuf){time(NULL) - 3600, time(NULL) - 3600}), 0);
    }
}

static folder folder_new(void)
{
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    folder f = {.path = temporary_folder(), .cache = temporary_folder()};
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.cache_dir = f.cache;
    f.ctx = hst_open(&cfg, &err);
    check_ok(f.ctx == NULL, &err);
    return f;
}

static void folder_end(folder *f)
{
    hst_close(f->ctx);
    remove_tree(f->path);
    remove_tree(f->cache);
    free(f->path);
    free(f->cache);
}

static hst_inspection *inspect_folder(const folder *f, const char *split)
{
    hst_err err = {0};
    hst_data_opts o = hst_data_opts_default();
    o.split = split;
    hst_data *d = hst_data_open(f->ctx, f->path, &o, &err);
    check_ok(d == NULL, &err);
    hst_inspection *r = hst_inspect(f->ctx, d, &err);
    check_ok(r == NULL, &err);
    hst_data_free(d);
    return r;
}

static const hst_inspection_finding *find(const hst_inspection *r, const char *kind, size_t k)
{
    const hst_inspection_finding *f;
    for (size_t i = 0; (f = hst_inspection_at(r, i)); i++)
        if (strcmp(f->kind, kind) == 0 && k-- == 0)
            return f;
    fail_msg("no finding %s", kind);
    return NULL;
}

static void what_is_not_read(void **state)
{
    (void)state;
    folder f = folder_new();
    char text[1024], path[4096];
    put_folder(&f, "ant", 12, 1);
    put_folder(&f, "bee", 12, 2);
    put_folder(&f, "ant/more", 1, 3);
    put(&f, "ant/layers.PSD", "8BPS");
    put(&f, "ant/more/other.psd", "nothing of the kind");
    put(&f, "ant/scan", "II*");
    put(&f, "ant/saved.jfif", "\xff\xd8\xff\xe0");
    put(&f, "ant/notes.txt", "notes");
    put(&f, "ant/.hidden", "x");
    put(&f, "loose.png", "\x89PNG\r\n\x1a\n");
    put(&f, "list.csv", "x");
    snprintf(path, sizeof path, "%s/bee/link", f.path);
    assert_int_equal(symlink("/", path), 0);
    snprintf(path, sizeof path, "%s/bee/gone.txt", f.path);
    assert_int_equal(symlink("/no/such/file", path), 0);
    hst_inspection *r = inspect_folder(&f, "stable");
    assert_string_equal(kinds(r, text), "truncated unread-pictures loose unread-folder "
                                        "unread-folder other-files other-files other-files "
                                        "other-files");
    const hst_inspection_finding *found = find(r, "unread-pictures", 0);
    assert_string_equal(found->what, ".psd"); /* of one only the name says so */
    assert_int_equal(found->n_paths, 2);
    found = find(r, "truncated", 0); /* known by its content */
    assert_string_equal(hst_path_base(found->paths[0]), "saved.jfif");
    found = find(r, "loose", 0);
    assert_string_equal(hst_path_base(found->paths[0]), "loose.png");
    static const char *const others[] = {"hidden", ".txt", "without an ending", ".csv"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(find(r, "other-files", i)->what, others[i]);
    found = find(r, "unread-folder", 0);
    assert_string_equal(hst_path_base(found->paths[0]), "link");
    found = find(r, "unread-folder", 1);
    assert_string_equal(hst_path_base(found->paths[0]), "gone.txt");
    hst_inspection_free(r);
    folder_end(&f);
}

static void classes_are_counted_and_compared(void **state)
{
    (void)state;
    folder f = folder_new();
    char text[1024];
    put_folder(&f, "Red Rose", 101, 1);
    put_folder(&f, "red_rose", 10, 2);
    put_folder(&f, "red-ros\xc3\xa9", 11, 3); /* composed */
    put_folder(&f, "RED rose\xcc\x81", 3, 4); /* a letter and its accent */
    put_folder(&f, "redrose2", 11, 5);
    put_folder(&f, "empty", 0, 6);
    hst_inspection *r = inspect_folder(&f, "stable");
    assert_string_equal(kinds(r, text), "empty-class class-names tiny-class imbalance");
    assert_int_equal(find(r, "class-names", 0)->n_paths, 4);
    assert_string_equal(find(r, "tiny-class", 0)->what, "3 photos");
    assert_string_equal(hst_path_base(find(r, "imbalance", 0)->paths[0]), "red_rose");
    hst_inspection_free(r);
    folder_end(&f);
    f = folder_new();
    put_folder(&f, "alone", 12, 1);
    r = inspect_folder(&f, "none");
    assert_string_equal(kinds(r, text), "one-class");
    hst_inspection_free(r);
    folder_end(&f);
}

static void sides_that_are_folders(void **state)
{
    (void)state;
    folder f = folder_new();
    char text[1024], from[4096], to[4096];
    put_folder(&f, "train", 0, 0);
    put_folder(&f, "val", 0, 0);
    put_folder(&f, "spare", 0, 0);
    put_folder(&f, "train/ant", 11, 1);
    put_folder(&f, "train/bee", 11, 2);
    put_folder(&f, "val/ant", 2, 3);
    put_folder(&f, "spare/ant", 2, 4);
    snprintf(from, sizeof from, "%s/train/ant/3.png", f.path);
    snprintf(to, sizeof to, "%s/val/ant/again.png", f.path);
    assert_int_equal(link(from, to), 0);
    hst_inspection *r = inspect_folder(&f, "stable");
    assert_string_equal(kinds(r, text), "copies-across-sides unread-folder unmeasured-class");
    assert_string_equal(find(r, "copies-across-sides", 0)->paths[1], to);
    assert_string_equal(hst_path_base(find(r, "unread-folder", 0)->paths[0]), "spare");
    assert_string_equal(hst_path_base(find(r, "unmeasured-class", 0)->paths[0]), "bee");
    hst_inspection_free(r);
    folder_end(&f);
}

/* The second time nothing is decoded, and the answer is the same. */
static void the_store_changes_nothing_but_time(void **state)
{
    (void)state;
    need_part("SQLite");
    folder f = folder_new();
    put_folder(&f, "ant", 12, 1);
    put_folder(&f, "bee", 12, 2);
    put(&f, "ant/bad.jpg", "not a picture");
    hst_inspection *cold = inspect_folder(&f, "stable"), *warm = inspect_folder(&f, "stable");
    assert_int_equal(hst_inspection_used(cold), 24);
    assert_int_equal(hst_inspection_stored(cold), 0);
    assert_int_equal(hst_inspection_stored(warm), 24);
    for (size_t i = 0; hst_inspection_at(cold, i) || hst_inspection_at(warm, i); i++) {
        const hst_inspection_finding *a = hst_inspection_at(cold, i),
                                     *b = hst_inspection_at(warm, i);
        assert_string_equal(a->kind, b->kind);
        assert_string_equal(a->what, b->what);
        assert_string_equal(a->paths[0], b->paths[0]);
    }
    assert_string_equal(find(warm, "undecodable", 0)->what, "not a picture that is known");
    hst_inspection_free(cold);
    hst_inspection_free(warm);
    folder_end(&f);
}

static int stop(void *arg, const hst_progress *p)
{
    (void)arg;
    (void)p;
    return 1;
}

static void it_can_be_stopped(void **state)
{
    (void)state;
    folder f = folder_new();
    hst_err err = {0};
    put_folder(&f, "ant", 2, 1);
    put_folder(&f, "bee", 2, 2);
    hst_config cfg = hst_config_default();
    cfg.progress = stop;
    hst_ctx *ctx = hst_open(&cfg, &err);
    hst_data *d = hst_data_open(ctx, f.path, NULL, &err);
    assert_null(hst_inspect(ctx, d, &err));
    assert_int_equal(err.code, HST_ESTOPPED);
    hst_data_free(d);
    hst_close(ctx);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_photos_are_left_alone),
        cmocka_unit_test(what_is_measured),
        cmocka_unit_test(what_headers_say),
        cmocka_unit_test(what_cannot_be_used_says_why),
        cmocka_unit_test(copies_by_the_worst_that_is_so_of_them),
        cmocka_unit_test(an_index_is_told),
        cmocka_unit_test(copies_are_groups),
        cmocka_unit_test(the_worst_comes_first),
        cmocka_unit_test(what_is_not_read),
        cmocka_unit_test(classes_are_counted_and_compared),
        cmocka_unit_test(sides_that_are_folders),
        cmocka_unit_test(the_store_changes_nothing_but_time),
        cmocka_unit_test(it_can_be_stopped),
    };
    return cmocka_run_group_tests_name("inspection", tests, NULL, NULL);
}
