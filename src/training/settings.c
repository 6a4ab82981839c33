#include "training/settings.h"

#include "base/sized.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

const char *const hst_recipe_names[] = {[HST_RECIPE_AUTO] = "auto",
                                        [HST_RECIPE_FINE_TUNE] = "fine-tune",
                                        [HST_RECIPE_TUTORIAL] = "tutorial",
                                        NULL};
const char *const hst_preparation_names[] = {
    [HST_PREPARE_PIL] = "pil", [HST_PREPARE_TF] = "tf",         [HST_PREPARE_FAST] = "fast",
    [HST_PREPARE_HUB] = "hub", [HST_PREPARE_SCALED] = "scaled", NULL};
const char *const hst_fit_names[] = {
    [HST_FIT_SQUASH] = "squash", [HST_FIT_CROP] = "crop", [HST_FIT_PAD] = "pad", NULL};
const char *const hst_final_names[] = {
    [HST_FINAL_BY_SPLIT] = "auto", [HST_FINAL_ALL] = "all", [HST_FINAL_TRAIN] = "train", NULL};

/* What a recipe does decides which settings it has. */
enum training { AUTO, FINE_TUNE, TUTORIAL, TUTORIAL_TUNING, N_TRAININGS };

/* Whether hst_settings_next gives a setting. */
enum record { ALWAYS, WHERE_CHANGED, WHERE_TUNING_OR_CHANGED, ELSEWHERE };

typedef struct row {
    hst_setting about;
    const char *standard[N_TRAININGS]; /* the default of each; NULL: it has no such setting */
    const char *adaptive[N_TRAININGS]; /* by_optimizer: of rules without momentum */
    int by_optimizer;
    enum record record;
    size_t in_opts, bytes; /* the field of hst_train_opts */
    size_t in_settings;    /* that of hst_settings */
} row;

/* Of every recipe, of those that learn step by step, of those whose backbone learns. */
#define ALL(x)                                                                                     \
    {                                                                                              \
        x, x, x, x                                                                                 \
    }
#define STEPS(fine_tune, tutorial)                                                                 \
    {                                                                                              \
        NULL, fine_tune, tutorial, tutorial                                                        \
    }
#define TUNING(fine_tune, tutorial)                                                                \
    {                                                                                              \
        NULL, fine_tune, NULL, tutorial                                                            \
    }
#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define HST_SETTING(kind, member_type, member, ...)                                                \
    {.about.type = HST_SETTING_##kind,                                                             \
     .about.field = #member,                                                                       \
     .in_opts = offsetof(hst_train_opts, member),                                                  \
     .bytes = sizeof(((hst_train_opts *)0)->member),                                               \
     .in_settings = offsetof(hst_settings, member),                                                \
     __VA_ARGS__},
static const row rows[] = {
#include "training/settings_table.h"
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const hst_setting *hst_train_setting(int i)
{
    return i >= 0 && i < N_ROWS ? &rows[i].about : NULL;
}

static const row *find_row(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].about.name, name) == 0 || strcmp(rows[i].about.field, name) == 0)
            return &rows[i];
    return NULL;
}

/* ---- values ---- */

/* Of a choice: the number of its word. */
typedef struct value {
    uint64_t whole;
    double real;
    const char *text;
} value;

/* "a, b or c" */
static void list_words(const char *const *words, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; words[i] && n < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s",
                              i == 0         ? ""
                              : words[i + 1] ? ", "
                                             : " or ",
                              words[i]);
}

/* What a number may be: "a number above 0, at most 1". */
static void describe_range(const hst_setting *s, char *out, size_t cap)
{
    const char *kind = s->type == HST_SETTING_INT ? "whole number" : "number";
    int n = snprintf(out, cap, "a %s %s %g", kind, s->above_least ? "above" : "from", s->least);
    if (s->most < INT_MAX)
        snprintf(out + n, cap - (size_t)n, "%s %.7g",
                 s->below_most    ? ", less than"
                 : s->above_least ? ", at most"
                                  : " to",
                 s->most);
}

static int bad_value(const row *r, const char *text, hst_err *err)
{
    char wanted[160] = "a text that is not empty";
    const hst_setting *s = &r->about;
    if (s->type == HST_SETTING_CHOICE)
        list_words(s->words, wanted, sizeof wanted);
    else if (s->type == HST_SETTING_FLAG)
        snprintf(wanted, sizeof wanted, "1 or 0");
    else if (s->type != HST_SETTING_TEXT)
        describe_range(s, wanted, sizeof wanted);
    if (s->type == HST_SETTING_REAL && s->words)
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), ", or %s", s->words[0]);
    return hst_fail(err, HST_EARG, "%s wants %s, not '%s'", s->name, wanted, text);
}

static int in_range(const hst_setting *s, double x)
{
    return (s->above_least ? x > s->least : x >= s->least) &&
           (s->below_most ? x < s->most : x <= s->most);
}

/* The C library's readers also take spaces, signs, hexadecimal numbers and "nan", and a decimal
 * mark that depends on the locale. */
static int read_whole(const char *text, uint64_t *out)
{
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return 0;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0 && *out <= INT64_MAX; /* readers of JSON have signed ones */
}

/* The word that a number may be instead stands as 0, which is outside the number's range. */
static int read_number(const hst_setting *s, const char *text, double *out)
{
    if (s->words && strcmp(text, s->words[0]) == 0) {
        *out = 0;
        return 1;
    }
    return hst_read_real(text, s->unit, out) && in_range(s, *out);
}

static int is_word(const hst_setting *s, double number)
{
    return s->words && number == 0;
}

static int read_word(const row *r, const char *text, uint64_t *out)
{
    for (uint64_t i = 0; r->about.words[i]; i++)
        if (strcmp(r->about.words[i], text) == 0) {
            *out = i;
            return 1;
        }
    return 0;
}

static int read_text(const row *r, const char *text, value *v, hst_err *err)
{
    int ok = 0;
    *v = (value){.text = text};
    switch (r->about.type) {
    case HST_SETTING_INT:
        ok = read_whole(text, &v->whole) && in_range(&r->about, (double)v->whole);
        break;
    case HST_SETTING_REAL:
        ok = read_number(&r->about, text, &v->real);
        break;
    case HST_SETTING_CHOICE:
        ok = read_word(r, text, &v->whole);
        break;
    case HST_SETTING_FLAG:
        ok = read_whole(text, &v->whole) && v->whole <= 1;
        break;
    case HST_SETTING_TEXT:
        ok = *text != 0;
        break;
    }
    return ok ? 0 : bad_value(r, text, err);
}

/* ---- hst_train_opts ---- */

static const hst_sized sized = HST_SIZED(hst_train_opts, resume);

static hst_train_opts defaults(void)
{
    hst_train_opts o = {.size = sizeof o, .recipe = find_row("recipe")->standard[AUTO]};
    const double none = -1;
    value seed = {0};
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].about.type == HST_SETTING_REAL)
            memcpy((char *)&o + rows[i].in_opts, &none, sizeof none);
    if (read_text(find_row("seed"), find_row("seed")->standard[AUTO], &seed, NULL) == 0)
        o.seed = seed.whole;
    return o;
}

void hst_train_opts_init(hst_train_opts *o, size_t size)
{
    const hst_train_opts all = defaults();
    hst_sized_init(&sized, &all, o, size);
}

static int read_opts(const hst_train_opts *given, hst_train_opts *o, hst_err *err)
{
    *o = defaults();
    return hst_sized_read(&sized, o, given, err);
}

int hst_train_opts_set(hst_train_opts *o, const char *name, const char *text, hst_err *err)
{
    value v;
    const row *r = find_row(name);
    if (!r)
        return hst_fail(err, HST_EARG, "there is no setting '%s'", name);
    if (r->in_opts + r->bytes > o->size)
        return hst_fail(err, HST_EARG, "hst_train_opts of this program is too old to have %s",
                        r->about.name);
    if (read_text(r, text, &v, err))
        return HST_EARG;
    char *field = (char *)o + r->in_opts;
    const char *word = r->about.type == HST_SETTING_CHOICE ? r->about.words[v.whole] : text;
    int n = (int)v.whole;
    if (r->about.type == HST_SETTING_REAL)
        memcpy(field, &v.real, r->bytes);
    else if (r->about.type == HST_SETTING_CHOICE || r->about.type == HST_SETTING_TEXT)
        memcpy(field, &word, r->bytes);
    else
        memcpy(field, r->bytes == sizeof n ? (const void *)&n : &v.whole, r->bytes);
    return 0;
}

/* *given: 0, where the field stands for the default. */
static int take_field(const row *r, const hst_train_opts *o, value *v, int *given, hst_err *err)
{
    const char *field = (const char *)o + r->in_opts;
    int n = 0, ok = 1;
    char text[40] = "";
    *v = (value){0};
    if (r->about.type == HST_SETTING_REAL) {
        memcpy(&v->real, field, r->bytes);
        *given = !(v->real < 0);
        ok = in_range(&r->about, v->real) || is_word(&r->about, v->real);
        snprintf(text, sizeof text, "%g", v->real);
    } else if (r->about.type == HST_SETTING_CHOICE || r->about.type == HST_SETTING_TEXT) {
        memcpy(&v->text, field, r->bytes);
        *given = v->text != NULL;
        return *given ? read_text(r, v->text, v, err) : 0;
    } else if (r->bytes != sizeof n) {
        memcpy(&v->whole, field, r->bytes);
        *given = 1;
    } else {
        memcpy(&n, field, r->bytes);
        v->whole = (uint64_t)n;
        *given = n != 0;
        ok = r->about.type == HST_SETTING_FLAG || in_range(&r->about, n);
        snprintf(text, sizeof text, "%d", n);
    }
    return !*given || ok ? 0 : bad_value(r, text, err);
}

/* ---- which recipe has which ---- */

static enum training training_of(enum hst_recipe_id recipe, int fine_tune)
{
    if (recipe == HST_RECIPE_TUTORIAL)
        return fine_tune ? TUTORIAL_TUNING : TUTORIAL;
    return recipe == HST_RECIPE_AUTO ? AUTO : FINE_TUNE;
}

/* Errors: HST_EARG, an unknown recipe. */
static int find_training(const hst_train_opts *o, enum training *out, hst_err *err)
{
    value v = {0};
    const row *r = find_row("recipe");
    if (read_text(r, o->recipe ? o->recipe : r->standard[AUTO], &v, err))
        return HST_EARG;
    *out = training_of((enum hst_recipe_id)v.whole, o->fine_tune);
    return 0;
}

/* NULL: such training has none. */
static const char *optimizer_of(const hst_train_opts *o, enum training t)
{
    return o->optimizer ? o->optimizer : find_row("optimizer")->standard[t];
}

static const char *standard_of(const row *r, const hst_train_opts *o, enum training t)
{
    if (!r->by_optimizer)
        return r->standard[t];
    const char *name = optimizer_of(o, t);
    const hst_optimiser_rule *rule = name ? hst_optimiser_rule_find(name) : NULL;
    return rule && rule->momentum < 0 ? r->adaptive[t] : r->standard[t];
}

const char *hst_train_setting_default(const hst_setting *s, const hst_train_opts *given)
{
    hst_train_opts o;
    enum training t;
    const row *r = s ? find_row(s->name) : NULL;
    if (!r || read_opts(given, &o, NULL) || find_training(&o, &t, NULL))
        return NULL;
    return standard_of(r, &o, t);
}

/* r is not a setting of t, or not with o's optimizer. */
static int refuse(const row *r, const hst_train_opts *o, enum training t, hst_err *err)
{
    static const char *const names[] = {"auto", "fine-tune", "tutorial", "tutorial"};
    const char *owner[N_TRAININGS + 1] = {NULL};
    char owners[80] = "";
    int n = 0, tunes = !r->standard[TUTORIAL] && r->standard[TUTORIAL_TUNING];
    if (r->standard[t])
        return hst_fail(err, HST_EARG, "optimizer %s has no %s to set", optimizer_of(o, t),
                        r->about.name);
    for (int i = 0; i < TUTORIAL_TUNING; i++)
        if (r->standard[i])
            owner[n++] = names[i];
    if (tunes)
        owner[n++] = "tutorial with fine-tuning";
    for (int i = 0; i < n; i++)
        snprintf(owners + strlen(owners), sizeof owners - strlen(owners), "%s%s",
                 i == 0      ? ""
                 : i + 1 < n ? ", "
                             : " and ",
                 owner[i]);
    return hst_fail(err, HST_EARG, "recipe %s%s has no %s to set; recipe%s %s %s", names[t],
                    t == TUTORIAL && tunes ? " without fine-tuning" : "", r->about.name,
                    n > 1 ? "s" : "", owners, n > 1 ? "have" : "has");
}

/* ---- hst_settings ---- */

static void store(const row *r, const value *v, hst_settings *s)
{
    char *field = (char *)s + r->in_settings;
    int n = (int)v->whole;
    if (r->about.type == HST_SETTING_REAL)
        memcpy(field, &v->real, sizeof v->real);
    else if (r->about.type == HST_SETTING_TEXT)
        memcpy(field, &v->text, sizeof v->text);
    else if (r->about.type == HST_SETTING_INT && r->bytes != sizeof n)
        memcpy(field, &v->whole, sizeof v->whole);
    else
        memcpy(field, &n, sizeof n); /* GCC's and Clang's enums of these are as large as int */
}

static int read_setting(const row *r, const hst_train_opts *o, enum training t, hst_settings *s,
                        hst_err *err)
{
    value v;
    int given;
    const char *standard = standard_of(r, o, t);
    if (take_field(r, o, &v, &given, err))
        return HST_EARG;
    if (given && !standard)
        return refuse(r, o, t, err);
    if (!given)
        v = (value){.real = -1};
    if (!given && standard && read_text(r, standard, &v, err))
        return HST_EARG;
    store(r, &v, s);
    return 0;
}

int hst_settings_read(const hst_train_opts *given, hst_settings *s, hst_err *err)
{
    enum { TUNING_BATCH_MAX = 4096 };
    hst_train_opts o;
    enum training t = AUTO;
    int rc = read_opts(given, &o, err);
    if (rc == 0)
        rc = find_training(&o, &t, err);
    memset(s, 0, sizeof *s);
    s->run_dir = o.run_dir;
    s->resume = o.resume;
    for (int i = 0; rc == 0 && i < N_ROWS; i++)
        rc = read_setting(&rows[i], &o, t, s, err);
    if (rc == 0 && s->fine_tune && s->batch > TUNING_BATCH_MAX)
        rc = hst_fail(err, HST_EARG, "a batch of %d photos is too large to fine-tune: at most %d",
                      s->batch, TUNING_BATCH_MAX);
    s->finds_rate = rc == 0 && s->learning_rate == 0;
    if (s->finds_rate && !s->fine_tune)
        rc = hst_fail(err, HST_EARG,
                      "lr wants a number above 0, at most %.7g, where the backbone does not learn: "
                      "auto is for fine-tuning",
                      find_row("lr")->about.most);
    if (rc == 0 && s->warmup > s->epochs)
        rc = hst_fail(err, HST_EARG, "a warm-up of %g epochs is longer than training, which has %d",
                      s->warmup, s->epochs);
    hst_class_weights weights;
    if (rc == 0)
        rc = hst_class_weights_read(s->class_weight, NULL, &weights, err);
    return rc;
}

int hst_train_opts_check(const hst_train_opts *o, hst_err *err)
{
    hst_settings s;
    return hst_settings_read(o, &s, err);
}

int hst_settings_thaw(hst_settings *s, const hst_graph *g, hst_err *err)
{
    return s->fine_tune ? hst_thaw_parse(s->thaw, g, &s->layers, err) : 0;
}

/* ---- record ---- */

static hst_setting_value value_of(const row *r, const hst_settings *s)
{
    const char *field = (const char *)s + r->in_settings;
    hst_setting_value v = {.setting = &r->about};
    int n;
    if (r->about.type == HST_SETTING_REAL) {
        memcpy(&v.number, field, sizeof v.number);
        v.word = is_word(&r->about, v.number) ? r->about.words[0] : NULL;
    } else if (r->about.type == HST_SETTING_TEXT) {
        memcpy(&v.word, field, sizeof v.word);
    } else {
        memcpy(&n, field, sizeof n);
        v.number = n;
        v.word = r->about.type == HST_SETTING_CHOICE ? r->about.words[n] : NULL;
    }
    return v;
}

static int is_default(const row *r, const hst_setting_value *have, enum training t)
{
    value v;
    if (read_text(r, r->standard[t], &v, NULL))
        return 0;
    if (have->word)
        return strcmp(have->word, r->standard[t]) == 0;
    return have->number == (r->about.type == HST_SETTING_REAL ? v.real : (double)v.whole);
}

int hst_settings_next(const hst_settings *s, int *i, hst_setting_value *out)
{
    enum training t = training_of(s->recipe, s->fine_tune);
    while (*i < N_ROWS) {
        const row *r = &rows[(*i)++];
        if (r->record == ELSEWHERE || !r->standard[t])
            continue;
        *out = value_of(r, s);
        if (r->record == ALWAYS || (r->record == WHERE_TUNING_OR_CHANGED && s->fine_tune) ||
            !is_default(r, out, t))
            return 1;
    }
    return 0;
}

static int is_number(const hst_setting *s)
{
    return s->type != HST_SETTING_CHOICE && s->type != HST_SETTING_TEXT;
}

static void put_line(const hst_setting_value *v, hst_buf *b)
{
    hst_buf_printf(b, "%s=", v->setting->field);
    if (v->word)
        hst_buf_puts(b, v->word);
    else
        hst_buf_double(b, v->number < 0 ? 0 : v->number);
    hst_buf_puts(b, "\n");
}

const char *hst_settings_preparation(const hst_settings *s)
{
    static const char *const texts[][3] = {
        [HST_PREPARE_PIL] = {"pil", "pil,crop", "pil,pad"},
        [HST_PREPARE_TF] = {"tf", "tf,crop", "tf,pad"},
        [HST_PREPARE_FAST] = {"fast", "fast,crop", "fast,pad"},
        [HST_PREPARE_HUB] = {"hub", "hub,crop", "hub,pad"},
        [HST_PREPARE_SCALED] = {"scaled", "scaled,crop", "scaled,pad"}};
    return texts[s->prepare][s->fit];
}

int hst_settings_lines(const hst_settings *s, hst_buf *b, hst_err *err)
{
    hst_setting_value v;
    hst_buf_printf(b, "recipe=%s\nprepare=%s\nseed=%" PRIu64 "\nclass_weight=%s\n",
                   hst_recipe_names[s->recipe], hst_preparation_names[s->prepare], s->seed,
                   s->class_weight ? s->class_weight : HST_CLASS_WEIGHT_NONE);
    for (int i = 0; hst_settings_next(s, &i, &v);)
        if (!is_number(v.setting))
            put_line(&v, b);
    for (int i = 0; hst_settings_next(s, &i, &v);)
        if (is_number(v.setting))
            put_line(&v, b);
    return hst_buf_check(b, err);
}
