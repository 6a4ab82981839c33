/* abi: structs of programs built against an older headstart.h, and against a newer one. */
#include "scene.h"
#include "structs_0_1.h"

#include "base/sized.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, GUARD_BYTE = 0xa5, NEWER = 24 };

/* ---- memory with guards around it ---- */

typedef struct guarded {
    unsigned char *block, *p; /* p: n bytes, of GUARD_BYTE as well */
    size_t n;
} guarded;

static guarded guarded_new(size_t n)
{
    guarded g = {.block = malloc(n + 2 * GUARD), .n = n};
    assert_non_null(g.block);
    memset(g.block, GUARD_BYTE, n + 2 * GUARD);
    g.p = g.block + GUARD;
    return g;
}

/* Nothing was written outside. */
static void guarded_end(guarded *g, const char *what)
{
    for (size_t i = 0; i < g->n + 2 * GUARD; i++)
        if ((i < GUARD || i >= g->n + GUARD) && g->block[i] != GUARD_BYTE)
            fail_msg("%s of %zu bytes: byte %td was written", what, g->n, (ptrdiff_t)i - GUARD);
    free(g->block);
}

static void set_size(void *p, size_t size)
{
    memcpy(p, &size, sizeof size);
}

static size_t get_size(const void *p)
{
    size_t size;
    memcpy(&size, p, sizeof size);
    return size;
}

static int all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return 0;
    return 1;
}

/* ---- options ---- */

#define INIT(name)                                                                                 \
    static void init_##name(void *p, size_t size)                                                  \
    {                                                                                              \
        hst_##name##_init(p, size);                                                                \
    }
INIT(config)
INIT(callbacks)
INIT(backbone_opts)
INIT(data_opts)
INIT(train_opts)
INIT(pixels)
INIT(report_opts)
INIT(labelled)
INIT(model_opts)

static int use_config(const scene *s, void *o, hst_err *err)
{
    (void)s;
    hst_ctx *ctx = hst_open(o, err);
    hst_close(ctx);
    return ctx ? 0 : err->code;
}

static int use_callbacks(const scene *s, void *o, hst_err *err)
{
    hst_ctx *ctx = hst_ctx_with(s->ctx, o, err);
    hst_close(ctx);
    return ctx ? 0 : err->code;
}

static int use_backbone_opts(const scene *s, void *o, hst_err *err)
{
    hst_backbone *b = hst_backbone_open_with(s->ctx, s->network, o, err);
    hst_backbone_free(b);
    return b ? 0 : err->code;
}

static int use_data_opts(const scene *s, void *o, hst_err *err)
{
    hst_data *d = hst_data_open(s->ctx, s->dir, o, err);
    hst_data_free(d);
    return d ? 0 : err->code;
}

static int use_train_opts(const scene *s, void *o, hst_err *err)
{
    hst_model *m = hst_train(s->ctx, s->b, s->d, o, NULL, err);
    hst_model_free(m);
    return m ? 0 : err->code;
}

static int use_pixels(const scene *s, void *o, hst_err *err)
{
    static const uint8_t rgb[8 * 8 * 3] = {1, 2, 3};
    float prob[2];
    pixels_0_1 *p = o;
    p->rgb = rgb;
    p->width_px = p->height_px = 8;
    return hst_predict_rgb(s->s, o, prob, 2, err);
}

static int use_report_opts(const scene *s, void *o, hst_err *err)
{
    hst_run *run = NULL;
    char *dir = temporary_folder();
    hst_model *m = hst_train(s->ctx, s->b, s->d, NULL, &run, err);
    int rc = m ? hst_run_save_with(run, m, o, dir, err) : err->code;
    hst_run_free(run);
    hst_model_free(m);
    remove_tree(dir);
    free(dir);
    return rc;
}

static int use_labelled(const scene *s, void *o, hst_err *err)
{
    static const char *const path[] = {"a.jpg"}, *const name[] = {"age"};
    static const double number[] = {7};
    (void)s;
    hst_labelled *l = o;
    l->paths = path;
    l->n = 1;
    l->names = name;
    l->n_names = 1;
    l->numbers = number;
    hst_data *d = hst_data_from_labelled(o, NULL, err);
    hst_data_free(d);
    return d ? 0 : err->code;
}

static int use_model_opts(const scene *s, void *o, hst_err *err)
{
    char *dir = temporary_folder(), path[512];
    snprintf(path, sizeof path, "%s/m.safetensors", dir);
    int rc = hst_model_save(s->m, path, err);
    hst_model *m = rc ? NULL : hst_model_load_with(s->ctx, path, o, err);
    hst_model_free(m);
    remove_tree(dir);
    free(dir);
    return m ? 0 : err->code;
}

#define OPTIONS(name)                                                                              \
    {                                                                                              \
        "hst_" #name, sizeof(name##_0_1), sizeof(hst_##name), init_##name, use_##name              \
    }
static const struct options {
    const char *name;
    size_t size_0_1, size;
    void (*init)(void *p, size_t size);
    int (*use)(const scene *s, void *o, hst_err *err);
} options[] = {
    OPTIONS(config),
    OPTIONS(callbacks),
    OPTIONS(backbone_opts),
    OPTIONS(data_opts),
    OPTIONS(train_opts),
    OPTIONS(pixels),
    OPTIONS(report_opts),
    {"hst_labelled", sizeof(hst_labelled), sizeof(hst_labelled), init_labelled, use_labelled},
    {"hst_model_opts", sizeof(hst_model_opts), sizeof(hst_model_opts), init_model_opts,
     use_model_opts}};
#define EACH_OPTIONS(o)                                                                            \
    for (const struct options *o = options; o < options + sizeof options / sizeof *options; o++)

static void check_init(const struct options *o, size_t size)
{
    guarded g = guarded_new(size), whole = guarded_new(o->size);
    o->init(whole.p, o->size);
    o->init(g.p, size);
    const size_t known = size < o->size ? size : o->size;
    if (size >= o->size_0_1) {
        assert_int_equal(get_size(g.p), size);
        assert_memory_equal(g.p + sizeof size, whole.p + sizeof size, known - sizeof size);
        assert_true(all_zero(g.p + known, size - known));
    } else if (size >= sizeof size) {
        assert_int_equal(get_size(g.p), 0); /* which is refused later */
    }
    guarded_end(&g, o->name);
    guarded_end(&whole, o->name);
}

static void defaults_fill_what_the_program_has(void **state)
{
    (void)state;
    EACH_OPTIONS(o)
    {
        for (size_t size = 0; size <= o->size + NEWER; size++)
            check_init(o, size);
        check_init(o, HST_SIZED_MAX);
        guarded g = guarded_new(sizeof(size_t));
        o->init(g.p, SIZE_MAX);
        assert_int_equal(get_size(g.p), 0);
        guarded_end(&g, o->name);
    }
}

/* The whole struct with `more` bytes behind it, the last of them `last`; its size says `size`. */
static int use(const scene *s, const struct options *o, size_t more, int last, size_t size,
               hst_err *err)
{
    guarded g = guarded_new(o->size + more);
    o->init(g.p, g.n);
    g.p[g.n - 1] = more ? (unsigned char)last : g.p[g.n - 1];
    set_size(g.p, size);
    int rc = o->use(s, g.p, err);
    assert_int_equal(get_size(g.p), size);
    guarded_end(&g, o->name);
    return rc;
}

static void sizes_that_none_can_have_are_refused(void **state)
{
    EACH_OPTIONS(o)
    {
        const size_t wrong[] = {0, 1, sizeof(size_t), o->size_0_1 - 1, HST_SIZED_MAX + 1, SIZE_MAX};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            hst_err err = {0};
            if (use(*state, o, 0, 0, wrong[i], &err) != HST_EARG || !strstr(err.msg, o->name))
                fail_msg("%s of size %zu: %d %s", o->name, wrong[i], err.code, err.msg);
        }
    }
}

static void options_of_0_1_are_enough(void **state)
{
    EACH_OPTIONS(o)
    {
        hst_err err = {0};
        guarded g = guarded_new(o->size_0_1);
        o->init(g.p, g.n);
        check_ok(o->use(*state, g.p, &err), &err);
        guarded_end(&g, o->name);
    }
}

static void what_newer_programs_leave_at_zero_is_taken(void **state)
{
    EACH_OPTIONS(o)
    {
        hst_err err = {0};
        check_ok(use(*state, o, NEWER, 0, o->size + NEWER, &err), &err);
        int rc = use(*state, o, NEWER, 1, o->size + NEWER, &err);
        if (rc != HST_EARG || !strstr(err.msg, o->name) || !strstr(err.msg, "newer"))
            fail_msg("%s: %d %s", o->name, rc, err.msg);
        check_ok(use(*state, o, NEWER, 1, o->size + NEWER - 1, &err), &err); /* not its own byte */
    }
}

static void no_options_are_the_defaults(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    check_ok(use_config(s, NULL, &err), &err);
    check_ok(use_callbacks(s, NULL, &err), &err);
    check_ok(use_backbone_opts(s, NULL, &err), &err);
    check_ok(use_data_opts(s, NULL, &err), &err);
    check_ok(use_train_opts(s, NULL, &err), &err);
    float prob[2];
    assert_int_equal(hst_predict_rgb(s->s, NULL, prob, 2, &err), HST_EARG);
}

static void the_environment_fills_what_the_program_has(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof(hst_config) + NEWER; size++) {
        guarded g = guarded_new(size);
        hst_config_init_env((void *)g.p, size);
        guarded_end(&g, "hst_config from the environment");
    }
    setenv("HEADSTART_THREADS", "3", 1);
    hst_config cfg = hst_config_from_env();
    assert_int_equal(cfg.size, sizeof cfg);
    assert_int_equal(cfg.threads, 3);
    unsetenv("HEADSTART_THREADS");
}

/* A struct that has grown, as ours will: a program of the first version has no `later`. */
typedef struct grown {
    size_t size;
    int first;
    int last;
    double later;
} grown;

static void fields_that_came_later_keep_their_default(void **state)
{
    (void)state;
    const hst_sized s = HST_SIZED(grown, last);
    const grown defaults = {sizeof defaults, 1, 2, 2.5};
    hst_err err = {0};
    guarded g = guarded_new(offsetof(grown, later));
    hst_sized_init(&s, &defaults, g.p, g.n);
    grown full = defaults;
    ((grown *)(void *)g.p)->last = 7;
    check_ok(hst_sized_read(&s, &full, g.p, &err), &err);
    assert_true(full.first == 1 && full.last == 7 && full.later == 2.5);
    assert_int_equal(full.size, sizeof full);
    check_ok(hst_sized_check(&s, g.p, &err), &err);
    hst_sized_write(&s, &(grown){0, 3, 4, 5}, g.p);
    assert_int_equal(get_size(g.p), offsetof(grown, later));
    assert_int_equal(((grown *)(void *)g.p)->last, 4);
    guarded_end(&g, "grown");
}

/* ---- answers ---- */

static int ask_store(const scene *s, void *out, hst_err *err)
{
    return hst_store_describe(s->ctx, out, err);
}

static int ask_speed(const scene *s, void *out, hst_err *err)
{
    return hst_speed_measure(s->ctx, s->b, 0, out, err);
}

static const struct answer {
    const char *name;
    size_t size_0_1, size;
    int (*ask)(const scene *s, void *out, hst_err *err);
} answers[] = {
    {"hst_store_info", sizeof(store_info_0_1), sizeof(hst_store_info), ask_store},
    {"hst_speed", sizeof(speed_0_1), sizeof(hst_speed), ask_speed},
};

static void check_answer(const scene *s, const struct answer *a, size_t size)
{
    hst_err err = {0};
    guarded g = guarded_new(size);
    set_size(g.p, size);
    check_ok(a->ask(s, g.p, &err), &err);
    assert_int_equal(get_size(g.p), size);
    assert_true(size <= a->size || all_zero(g.p + a->size, size - a->size));
    assert_true(g.p[sizeof size] != GUARD_BYTE);
    guarded_end(&g, a->name);
}

static void answers_fill_what_the_program_has(void **state)
{
    need_part("SQLite");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *a = &answers[i];
        check_answer(*state, a, a->size_0_1);
        check_answer(*state, a, a->size);
        check_answer(*state, a, a->size + NEWER);
        const size_t wrong[] = {0, 1, sizeof(size_t), a->size_0_1 - 1, HST_SIZED_MAX + 1, SIZE_MAX};
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            hst_err err = {0};
            guarded g = guarded_new(a->size);
            set_size(g.p, wrong[k]);
            assert_int_equal(a->ask(*state, g.p, &err), HST_EARG);
            assert_non_null(strstr(err.msg, a->name));
            for (size_t at = sizeof(size_t); at < g.n; at++)
                assert_int_equal(g.p[at], GUARD_BYTE);
            guarded_end(&g, a->name);
        }
    }
}

static int next_photo(void *arg, char *path, size_t cap)
{
    const char **photo = arg;
    if (!*photo)
        return 0;
    snprintf(path, cap, "%s", *photo);
    *photo = NULL;
    return 1;
}

static int check_prediction(void *arg, const hst_prediction *p)
{
    (void)arg;
    assert_int_equal(p->size, sizeof *p);
    assert_true(HST_HAS(p, code));
    return 0;
}

static int check_entry(void *arg, const hst_backbone_entry *e)
{
    assert_int_equal(e->size, sizeof *e);
    ++*(int *)arg;
    return 0;
}

static void structs_of_the_library_say_how_much_they_have(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    int n = 0;
    const char *photo = hst_data_path(s->d, 0);
    const hst_backbone_info *info = hst_backbone_describe(s->b);
    assert_int_equal(info->size, sizeof *info);
    assert_true(HST_HAS(info, interpolation));
    const hst_backbone_info older = {.size = offsetof(hst_backbone_info, interpolation)};
    assert_true(HST_HAS(&older, geometry) && !HST_HAS(&older, interpolation));
    hst_eval *e = hst_evaluate(s->ctx, s->m, s->d, &err);
    check_ok(e == NULL, &err);
    assert_int_equal(hst_eval_at(e, 0)->size, sizeof(hst_eval_photo));
    assert_int_equal(hst_eval_class(e, 1)->size, sizeof(hst_class_score));
    assert_int_equal(hst_eval_class(e, 1)->support, SCENE_PER_CLASS);
    hst_eval_free(e);
    check_ok(hst_predict_stream(s->ctx, s->m, next_photo, check_prediction, &photo, &err), &err);
    check_ok(hst_backbone_list(s->ctx, check_entry, &n, &err), &err);
    assert_true(n > 0);
}

static void a_list_that_fails_delivers_nothing(void **state)
{
    (void)state;
    hst_err err = {0};
    int n = 0;
    hst_ctx *ctx = made_up_ctx(1); /* without a cache folder */
    assert_int_equal(hst_backbone_list(ctx, check_entry, &n, &err), HST_EARG);
    assert_int_equal(n, 0);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_the_program_has),
        cmocka_unit_test(sizes_that_none_can_have_are_refused),
        cmocka_unit_test(options_of_0_1_are_enough),
        cmocka_unit_test(what_newer_programs_leave_at_zero_is_taken),
        cmocka_unit_test(no_options_are_the_defaults),
        cmocka_unit_test(the_environment_fills_what_the_program_has),
        cmocka_unit_test(fields_that_came_later_keep_their_default),
        cmocka_unit_test(answers_fill_what_the_program_has),
        cmocka_unit_test(structs_of_the_library_say_how_much_they_have),
        cmocka_unit_test(a_list_that_fails_delivers_nothing),
    };
    return cmocka_run_group_tests(tests, scene_set_up, scene_tear_down);
}
