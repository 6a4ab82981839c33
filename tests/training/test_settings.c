/* training: the table of settings, from texts and from fields. */
#include "support.h"

#include "training/settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static hst_train_opts of_recipe(const char *recipe, int fine_tune)
{
    hst_train_opts o = hst_train_opts_default();
    o.recipe = recipe;
    o.fine_tune = fine_tune;
    return o;
}

static const hst_setting *find(const char *name)
{
    const hst_setting *s;
    for (int i = 0; (s = hst_train_setting(i)); i++)
        if (strcmp(s->name, name) == 0)
            return s;
    fail_msg("no setting %s", name);
    return NULL;
}

static void every_row_is_whole(void **state)
{
    (void)state;
    const hst_setting *s, *other;
    assert_null(hst_train_setting(-1));
    for (int i = 0; (s = hst_train_setting(i)); i++) {
        assert_true(s->name[0] && s->field[0] && s->help[0]);
        if (s->type != HST_SETTING_REAL)
            assert_true((s->words != NULL) == (s->type == HST_SETTING_CHOICE));
        else if (s->words) /* one word, for which 0 stands: that is no number of it */
            assert_true(!s->words[1] && s->least >= 0 && s->above_least);
        assert_true((s->value == NULL) ==
                    (s->type == HST_SETTING_CHOICE || s->type == HST_SETTING_FLAG));
        int number = s->type == HST_SETTING_INT || s->type == HST_SETTING_REAL;
        assert_true(number ? s->least < s->most : s->most == 0);
        for (int j = 0; (other = hst_train_setting(j)); j++)
            assert_true(i == j || (strcmp(s->name, other->name) && strcmp(s->field, other->field)));
    }
}

static void defaults_are_the_recipes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *of_auto, *fine_tune, *tutorial, *tutorial_tuning;
    } want[] = {{"seed", "42", "42", "42", "42"},
                {"prepare", "pil", "pil", "tf", "tf"},
                {"class-weight", "none", "none", NULL, NULL},
                {"prior", "as-trained", "as-trained", NULL, NULL},
                {"augmented", "0", NULL, NULL, NULL},
                {"epochs", NULL, "3", "5", "5"},
                {"batch", NULL, "32", "16", "16"},
                {"optimizer", NULL, "adamw", "sgd", "sgd"},
                {"lr", NULL, "0.0003", "0.005", "0.005"},
                {"warmup", NULL, "0", "0", "0"},
                {"momentum", NULL, NULL, "0.9", "0.9"},
                {"l2", NULL, "0", "0.0001", "0.0001"},
                {"label-smoothing", NULL, "0.1", "0.1", "0.1"},
                {"dropout", NULL, "0.2", "0.2", "0.2"},
                {"ema", NULL, "0", "0", "0"},
                {"thaw", NULL, "all", NULL, "all"},
                {"batch-norm", NULL, "frozen", NULL, "batch"},
                {"augment", NULL, "auto", "none", "none"},
                {"schedule", NULL, "one-cycle", NULL, "constant"},
                {"layer-decay", NULL, "1", NULL, "1"},
                {"clip", NULL, "1", NULL, "0"},
                {"patience", NULL, "0", NULL, "0"},
                {"mixup", NULL, "0", NULL, "0"},
                {"cutmix", NULL, "0", NULL, "0"},
                {"keep", NULL, "best", NULL, NULL},
                {"final", "auto", NULL, NULL, NULL},
                {"robust", "none", NULL, NULL, NULL},
                {"learning-curve", "0", NULL, NULL, NULL},
                {"unknown-rate", "0.05", "0.05", NULL, NULL}};
    const hst_train_opts opts[] = {of_recipe(NULL, 0), of_recipe("fine-tune", 0),
                                   of_recipe("tutorial", 0), of_recipe("tutorial", 1)};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const char *const texts[] = {want[i].of_auto, want[i].fine_tune, want[i].tutorial,
                                     want[i].tutorial_tuning};
        for (int k = 0; k < 4; k++) {
            const char *got = hst_train_setting_default(find(want[i].name), &opts[k]);
            if (!got != !texts[k] || (got && strcmp(got, texts[k]) != 0))
                fail_msg("%s, recipe %d: %s", want[i].name, k, got ? got : "none");
        }
    }
    hst_train_opts o = of_recipe("fine-tune", 0);
    o.optimizer = "nesterov";
    assert_string_equal(hst_train_setting_default(find("lr"), &o), "0.005");
    assert_string_equal(hst_train_setting_default(find("momentum"), &o), "0.9");
    o.recipe = "none such";
    assert_null(hst_train_setting_default(find("lr"), &o));
    assert_null(hst_train_setting_default(NULL, NULL));
}

/* A text that is not what any recipe does by itself. */
static const char *other_text(const hst_setting *s)
{
    if (s->type == HST_SETTING_CHOICE)
        return s->words[1];
    if (s->type == HST_SETTING_TEXT)
        return "last:1";
    if (s->type == HST_SETTING_FLAG)
        return "1";
    return s->type == HST_SETTING_INT ? "2" : "0.03125";
}

static int same(const hst_settings *a, const hst_settings *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* By name and by field; every one of them arrives in hst_settings, and none in another's place. */
static void every_setting_can_be_set_from_text(void **state)
{
    (void)state;
    const hst_setting *s;
    hst_err e = {0};
    for (int i = 0; (s = hst_train_setting(i)); i++) {
        hst_train_opts o = hst_train_opts_default(), before;
        hst_settings plain, set, again;
        memset(&plain, 0, sizeof plain);
        memset(&set, 0, sizeof set);
        memset(&again, 0, sizeof again);
        o.recipe = strcmp(s->name, "fine-tune") == 0 ? "tutorial" : "fine-tune";
        o.optimizer = "sgd";
        if (strcmp(s->name, "recipe") == 0 || !hst_train_setting_default(s, &o))
            o = hst_train_opts_default();
        before = o;
        check_ok(hst_settings_read(&o, &plain, &e), &e);
        check_ok(hst_train_opts_set(&o, s->name, other_text(s), &e), &e);
        check_ok(hst_settings_read(&o, &set, &e), &e);
        if (same(&plain, &set))
            fail_msg("%s does not arrive", s->name);
        o = before;
        check_ok(hst_train_opts_set(&o, s->field, other_text(s), &e), &e);
        check_ok(hst_settings_read(&o, &again, &e), &e);
        assert_true(same(&set, &again));
    }
}

static void what_was_set_is_in_its_type(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"seed", "9223372036854775807"},
                                           {"epochs", "1000000"},
                                           {"lr", "1e-3"},
                                           {"momentum", "0"},
                                           {"optimizer", "sgd"},
                                           {"batch-norm", "batch"},
                                           {"augment", "tutorial"},
                                           {"schedule", "cosine"},
                                           {"layer-decay", "1"},
                                           {"class-weight", "balanced"},
                                           {"prepare", "hub"},
                                           {"thaw", "from:block_3"}};
    hst_err e = {0};
    hst_settings s;
    hst_train_opts o = of_recipe("fine-tune", 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_ok(hst_train_opts_set(&o, texts[i][0], texts[i][1], &e), &e);
    check_ok(hst_settings_read(&o, &s, &e), &e);
    assert_true(s.recipe == HST_RECIPE_FINE_TUNE && s.fine_tune);
    assert_true(s.seed == INT64_MAX && s.epochs == 1000000);
    assert_true(s.learning_rate == 1e-3 && s.momentum == 0 && s.layer_decay == 1);
    assert_true(s.optimizer == HST_SGD && s.batch_norm == HST_BN_BATCH);
    assert_true(s.augment == HST_AUGMENT_TUTORIAL && s.schedule == HST_COSINE);
    assert_true(s.prepare == HST_PREPARE_HUB);
    assert_string_equal(s.class_weight, "balanced");
    assert_string_equal(s.thaw, "from:block_3");
    assert_true(s.batch == 32 && s.dropout == 0.2 && s.clip == 1); /* the recipe's */
    check_ok(hst_train_opts_set(&o, "lr", "auto", &e), &e);
    check_ok(hst_settings_read(&o, &s, &e), &e);
    assert_true(o.learning_rate == 0 && s.learning_rate == 0 && s.finds_rate);
    o.seed = UINT64_MAX; /* what no text may say, for JSON's sake, a program may */
    check_ok(hst_settings_read(&o, &s, &e), &e);
    assert_true(s.seed == UINT64_MAX);
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"seed", "-1", "seed wants a whole number from 0"},
        {"seed", "9223372036854775808", "seed wants"},
        {"seed", " 1", "seed wants"},
        {"seed", "", "seed wants"},
        {"epochs", "0", "epochs wants a whole number from 1 to 1000000, not '0'"},
        {"epochs", "1e3", "epochs wants"},
        {"epochs", "18446744073709551617", "epochs wants"},
        {"batch", "2147483648", "batch wants a whole number from 1, not"},
        {"lr", "0", "lr wants a number above 0, at most 1000000, or auto, not '0'"},
        {"lr", "nan", "lr wants"},
        {"lr", "inf", "lr wants"},
        {"lr", "1e999", "lr wants"},
        {"lr", "0x1", "lr wants"},
        {"lr", "0,1", "lr wants"},
        {"lr", "1-", "lr wants"},
        {"lr", "", "lr wants"},
        {"l2", "-0.1", "l2 wants a number from 0 to 1000000"},
        {"dropout", "1", "dropout wants a number from 0, less than 1"},
        {"layer-decay", "1.0001", "layer-decay wants a number above 0, at most 1"},
        {"optimizer", "SGD", "optimizer wants sgd, nesterov, adam, adamw or rmsprop, not 'SGD'"},
        {"batch-norm", "", "batch-norm wants frozen or batch, not ''"},
        {"recipe", "autos", "recipe wants auto, fine-tune or tutorial, not 'autos'"},
        {"fine-tune", "yes", "fine-tune wants 1 or 0"},
        {"thaw", "", "thaw wants a text that is not empty"},
        {"size", "1", "no setting 'size'"},
        {"run_dir", "x", "no setting 'run_dir'"},
        {"", "x", "no setting ''"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hst_err e = {0};
        hst_train_opts o = of_recipe("fine-tune", 0), before = o;
        assert_int_equal(hst_train_opts_set(&o, wrong[i][0], wrong[i][1], &e), HST_EARG);
        if (!strstr(e.msg, wrong[i][2]))
            fail_msg("%s: %s", wrong[i][0], e.msg);
        assert_memory_equal(&o, &before, sizeof o);
    }
}

static void settings_of_other_recipes_are_refused(void **state)
{
    (void)state;
    enum { STEPS = 8, ALL = 14 };
    static const char *const names[ALL] = {
        "epochs",  "batch", "optimizer",  "lr",       "l2",          "dropout", "label-smoothing",
        "augment", "thaw",  "batch-norm", "schedule", "layer-decay", "clip",    "checkpoint-steps"};
    char want[160];
    for (size_t i = 0; i < ALL; i++) {
        const char *name = names[i];
        hst_err e = {0};
        hst_train_opts o = hst_train_opts_default();
        check_ok(hst_train_opts_set(&o, name, other_text(find(name)), &e), &e);
        assert_int_equal(hst_train_opts_check(&o, &e), HST_EARG);
        snprintf(want, sizeof want,
                 "recipe auto has no %s to set; recipes fine-tune and tutorial%s", name,
                 i < STEPS ? " have" : " with fine-tuning have");
        assert_string_equal(e.msg, want);
        o.recipe = "tutorial";
        assert_int_equal(hst_train_opts_check(&o, &e), i < STEPS ? 0 : HST_EARG);
        snprintf(want, sizeof want, "recipe tutorial without fine-tuning has no %s to set", name);
        assert_true(i < STEPS || strstr(e.msg, want));
        o.fine_tune = 1;
        check_ok(hst_train_opts_check(&o, &e), &e);
    }
    hst_err e = {0};
    hst_train_opts o = of_recipe("auto", 1);
    assert_int_equal(hst_train_opts_check(&o, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "recipe auto has no fine-tune to set"));
    check_ok(hst_train_opts_check(NULL, &e), &e);
}

/* Nothing is written behind the end of a struct that an older program was built with. */
static void an_older_struct_is_not_overrun(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_train_opts o, before;
    memset(&o, 0x5a, sizeof o);
    o.size = offsetof(hst_train_opts, clip);
    before = o;
    assert_int_equal(hst_train_opts_set(&o, "clip", "2", &e), HST_EARG);
    assert_non_null(strstr(e.msg, "too old to have clip"));
    assert_memory_equal(&o, &before, sizeof o);
    check_ok(hst_train_opts_set(&o, "layer-decay", "0.5", &e), &e);
    assert_true(o.layer_decay == 0.5);
    assert_memory_equal(&o.clip, &before.clip, sizeof o - offsetof(hst_train_opts, clip));
}

static void lines_say_all_that_decides(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_settings s;
    hst_buf b = HST_BUF(4096);
    hst_train_opts o = of_recipe("fine-tune", 0);
    o.epochs = 7;
    check_ok(hst_settings_read(&o, &s, &e), &e);
    check_ok(hst_settings_lines(&s, &b, &e), &e);
    assert_string_equal(b.p, "recipe=fine-tune\nprepare=pil\nseed=42\nclass_weight=none\n"
                             "optimizer=adamw\nthaw=all\nbatch_norm=frozen\naugment=auto\n"
                             "schedule=one-cycle\nepochs=7\nbatch=32\nlearning_rate=0.0003\n"
                             "momentum=0\nl2=0\nlabel_smoothing=0.1\ndropout=0.2\nlayer_decay=1\n"
                             "clip=1\npatience=0\n");
    o.warmup = 0; /* its default: as if there were no such setting */
    b.n = 0;
    check_ok(hst_settings_read(&o, &s, &e), &e);
    check_ok(hst_settings_lines(&s, &b, &e), &e);
    assert_null(strstr(b.p, "warmup"));
    o.warmup = 1.5;
    b.n = 0;
    check_ok(hst_settings_read(&o, &s, &e), &e);
    check_ok(hst_settings_lines(&s, &b, &e), &e);
    assert_non_null(strstr(b.p, "\nwarmup=1.5\n"));
    o.warmup = 8;
    assert_int_equal(hst_settings_read(&o, &s, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "a warm-up of 8 epochs is longer than training, which has 7"));
    hst_buf_free(&b);
}

/* With a frozen backbone where there is some, so that models without it are as they were; where the
 * backbone learns always. */
static void the_tutorial_tells_of_augmentation_that_it_has(void **state)
{
    (void)state;
    static const struct {
        int fine_tune;
        const char *augment, *line;
    } cases[] = {{0, NULL, NULL},
                 {0, "none", NULL},
                 {0, "auto", "\naugment=auto\n"},
                 {1, NULL, "\naugment=none\n"},
                 {1, "tutorial", "\naugment=tutorial\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err e = {0};
        hst_settings s;
        hst_buf b = HST_BUF(4096);
        hst_train_opts o = of_recipe("tutorial", cases[i].fine_tune);
        o.augment = cases[i].augment;
        check_ok(hst_settings_read(&o, &s, &e), &e);
        check_ok(hst_settings_lines(&s, &b, &e), &e);
        if (cases[i].line)
            assert_non_null(strstr(b.p, cases[i].line));
        else
            assert_null(strstr(b.p, "augment"));
        hst_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(defaults_are_the_recipes),
        cmocka_unit_test(every_setting_can_be_set_from_text),
        cmocka_unit_test(what_was_set_is_in_its_type),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(settings_of_other_recipes_are_refused),
        cmocka_unit_test(an_older_struct_is_not_overrun),
        cmocka_unit_test(lines_say_all_that_decides),
        cmocka_unit_test(the_tutorial_tells_of_augmentation_that_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
