#include "options.h"

#include "settings.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cli_option cli_common[] = {
    {"threads", 0, CLI_COUNT, offsetof(cli_values, threads), "N", NULL,
     "Threads to use, at most one for each processor (all if not given); results do not depend on "
     "it.",
     .section = "expert"},
    {"offline", 0, CLI_FLAG, offsetof(cli_values, offline), NULL, NULL,
     "Never download: only what is here already.", .section = "expert"},
    {"color", 0, CLI_CHOICE, offsetof(cli_values, color), "auto|always|never", "auto",
     "Whether results are coloured. auto: on a terminal, unless NO_COLOR is set.",
     .section = "expert"},
    {"quiet", 'q', CLI_FLAG, offsetof(cli_values, quiet), NULL, NULL,
     "No progress and no remarks; results, warnings and errors only."},
    {"help", 'h', CLI_FLAG, offsetof(cli_values, help), NULL, NULL, "Show this page."},
    {0},
};

const cli_option cli_store_options[] = {
    {"no-store", 0, CLI_FLAG, offsetof(cli_values, no_store), NULL, NULL,
     "Neither look features up in the feature store nor keep them there.", .section = "expert"},
    {"rehash", 0, CLI_FLAG, offsetof(cli_values, rehash), NULL, NULL,
     "Read every photo again, even where size and time say that it has not changed.",
     .section = "expert"},
    {"store-max", 0, CLI_BYTES, offsetof(cli_values, store_max), "SIZE", "2G",
     "Let the feature store grow to this size; beyond it the oldest features go.",
     .section = "expert"},
    {0},
};

/* ---- values ---- */

/* 1 when text is digits only and fits; the C library's readers also take spaces and signs. */
static int read_whole(const char *text, uint64_t *out)
{
    char *end;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return 0;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0;
}

/* "500M": the number times a power of 1024. */
static int read_bytes(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char digits[24];
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] ? strchr(units, text[n]) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (n >= sizeof digits || (text[n] && (!unit || text[n + 1])))
        return 0;
    snprintf(digits, sizeof digits, "%.*s", (int)n, text);
    if (!read_whole(digits, out) || *out == 0 || *out > (uint64_t)INT64_MAX >> shift)
        return 0;
    *out <<= shift;
    return 1;
}

/* "224", a square, or "320x160". */
static int read_size(const char *text, cli_size *out)
{
    char digits[16];
    uint64_t width, height;
    const size_t n = strcspn(text, "x");
    if (n >= sizeof digits)
        return 0;
    snprintf(digits, sizeof digits, "%.*s", (int)n, text);
    if (!read_whole(digits, &width) || !read_whole(text[n] ? text + n + 1 : digits, &height) ||
        width < 1 || width > INT_MAX || height < 1 || height > INT_MAX)
        return 0;
    *out = (cli_size){(int)width, (int)height};
    return 1;
}

/* "3/20". Arrays of tasks are counted from 1 or from 0: what is 0 in one is 20 in the other. */
static int read_part(const char *text, cli_part *out)
{
    char digits[16];
    uint64_t index, count;
    const size_t n = strcspn(text, "/");
    if (n >= sizeof digits || !text[n])
        return 0;
    snprintf(digits, sizeof digits, "%.*s", (int)n, text);
    if (!read_whole(digits, &index) || !read_whole(text + n + 1, &count) || count < 1 ||
        count > INT_MAX || index > count)
        return 0;
    *out = (cli_part){(int)(index ? index : count), (int)count};
    return 1;
}

static int read_number(const char *text, double *out)
{
    char *end;
    if (!*text || strspn(text, "0123456789.eE-") != strlen(text))
        return 0;
    *out = strtod(text, &end); /* no locale is ever set here: the point is a point */
    return *end == 0;
}

/* 1 when text is one of the words of "pil|tf". */
static int is_choice(const char *text, const char *words)
{
    size_t n = strlen(text);
    for (const char *w = words; n > 0; w++) {
        size_t length = strcspn(w, "|");
        if (length == n && memcmp(w, text, n) == 0)
            return 1;
        w += length;
        if (!*w)
            break;
    }
    return 0;
}

static int bad_value(const cli_option *o, const char *text)
{
    static const char *const wanted[] = {
        [CLI_FLAG] = "no value",
        [CLI_TEXT] = "a text that is not empty",
        [CLI_CHOICE] = "one of the words it knows",
        [CLI_COUNT] = "a whole number from 1",
        [CLI_FRACTION] = "a number between 0 and 1",
        [CLI_POINTS] = "a number from 0 to 100",
        [CLI_BYTES] = "a size such as 500M or 2G",
        [CLI_SIZE] = "pixels, a whole number such as 224 or WIDTHxHEIGHT such as 320x160",
        [CLI_PART] = "a part such as 3/20: a whole number up to that of the parts",
    };
    cli_error("--%s wants %s%s, not '%s'", o->name, o->kind == CLI_CHOICE ? "" : wanted[o->kind],
              o->kind == CLI_CHOICE ? o->arg : "", text);
    return CLI_USAGE;
}

static int set_value(const cli_option *o, const char *text, cli_values *v)
{
    void *place = (char *)v + o->at;
    uint64_t whole = 0;
    int ok = 0;
    if (o->setting)
        return cli_settings_set(o, text, v);
    switch (o->kind) {
    case CLI_FLAG:
        *(int *)place = 1;
        return 0;
    case CLI_TEXT:
    case CLI_CHOICE:
        ok = o->kind == CLI_TEXT ? *text != 0 : is_choice(text, o->arg);
        *(const char **)place = text;
        break;
    case CLI_COUNT:
        ok = read_whole(text, &whole) && whole >= 1 && whole <= INT_MAX;
        *(int *)place = (int)(ok ? whole : 0);
        break;
    case CLI_FRACTION:
        ok = read_number(text, place) && *(double *)place > 0 && *(double *)place < 1;
        break;
    case CLI_POINTS:
        ok = read_number(text, place) && *(double *)place >= 0 && *(double *)place <= 100;
        break;
    case CLI_NUMBER: /* of a setting */
        break;
    case CLI_BYTES:
        ok = read_bytes(text, &whole);
        *(uint64_t *)place = whole;
        break;
    case CLI_SIZE:
        ok = read_size(text, place);
        break;
    case CLI_PART:
        ok = read_part(text, place);
        break;
    }
    return ok ? 0 : bad_value(o, text);
}

/* ---- parsing ---- */

/* The next of a table, NULL: none; *i counts them down to 0. */
static const cli_option *nth(const cli_option *table, size_t *i)
{
    for (const cli_option *o = table; o && o->name; o++)
        if ((*i)-- == 0)
            return o;
    return NULL;
}

static int is_hidden(const cli_command *c, const cli_option *o)
{
    return (c->no_threads && o->at == offsetof(cli_values, threads) && !o->setting) ||
           (c->no_downloads && o->at == offsetof(cli_values, offline) && !o->setting) ||
           (!c->colours && o->at == offsetof(cli_values, color) && !o->setting);
}

int cli_options_at(const cli_command *c, size_t i, cli_option *out)
{
    size_t settings = c->uses_settings ? cli_settings_count() : 0;
    const cli_option *o = nth(c->options, &i);
    if (!o && i < settings) {
        cli_settings_at(i, out);
        return 1;
    }
    i -= o ? 0 : settings;
    o = o ? o : nth(c->uses_store ? cli_store_options : NULL, &i);
    o = o ? o : nth(cli_common, &i);
    if (!o)
        return 0;
    *out = *o;
    out->hidden = is_hidden(c, o);
    return 1;
}

/* Sections of a page of help in their order; that of fine-tuning has two headings. */
enum group { EVERYDAY, LISTS, ACCURACY, STEPS, TUNING, EXPERT, GROUPS };
static const char *const sections[GROUPS] = {
    [EVERYDAY] = "everyday", [LISTS] = "lists",        [ACCURACY] = "accuracy",
    [STEPS] = "fine-tuning", [TUNING] = "fine-tuning", [EXPERT] = "expert"};
static const char *const headings[GROUPS] = {
    [EVERYDAY] = "Options (defaults in brackets):",
    [LISTS] = "Labels in a list, or in names:",
    [ACCURACY] = "More accuracy:",
    [STEPS] = "Fine-tuning, with --fine-tune or --recipe tutorial:",
    [TUNING] = "Fine-tuning, with --fine-tune only:",
    [EXPERT] = "Expert:"};

static enum group group_of(const cli_option *o)
{
    const char *section = o->section ? o->section : sections[EVERYDAY];
    for (int g = 0; g < GROUPS; g++)
        if (g != TUNING && strcmp(sections[g], section) == 0)
            return g == STEPS && !(o->setting && cli_settings_in_tutorial(o)) ? TUNING
                                                                              : (enum group)g;
    return EXPERT;
}

const char *cli_option_heading(const cli_option *o)
{
    return headings[group_of(o)];
}

int cli_options_grouped_at(const cli_command *c, size_t i, cli_option *out)
{
    for (int g = 0; g < GROUPS; g++)
        for (size_t k = 0; cli_options_at(c, k, out); k++)
            if (!out->hidden && group_of(out) == (enum group)g && i-- == 0)
                return 1;
    return 0;
}

/* The number of the option with this name of n bytes or, unless that is 0, letter; -1: none. */
static int find_option(const cli_command *c, const char *name, size_t n, char letter,
                       cli_option *out)
{
    for (int i = 0; i < CLI_OPTIONS_MAX && cli_options_at(c, (size_t)i, out); i++)
        if (letter ? out->letter == letter
                   : strlen(out->name) == n && memcmp(out->name, name, n) == 0)
            return i;
    return -1;
}

int cli_options_typed(const cli_command *c, const cli_values *v, const char *name)
{
    cli_option o;
    int i = find_option(c, name, strlen(name), 0, &o);
    assert(i >= 0);
    return i >= 0 && v->text[i] != NULL;
}

static int unknown_option(const cli_command *c, const char *typed)
{
    const char *names[CLI_OPTIONS_MAX];
    size_t n = 0;
    char bare[64];
    cli_option o;
    for (size_t i = 0; n < CLI_OPTIONS_MAX && cli_options_at(c, i, &o); i++)
        if (!o.hidden)
            names[n++] = o.name;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
    const char *near = cli_nearest(bare, names, n);
    if (near)
        cli_error("unknown option %s; did you mean --%s?", typed, near);
    else
        cli_error("unknown option %s (headstart %s --help lists them)", typed, c->name);
    return CLI_USAGE;
}

/* The words of a command line and where reading stands. */
typedef struct reader {
    const cli_command *command;
    int argc, at;
    char **argv;
    cli_values *v;
} reader;

/* Reads the value of the i-th option and notes that it was typed. attached: one that came with the
 * option, or NULL: it is the next word. */
static int take_value(reader *r, int i, const cli_option *o, const char *attached)
{
    char arg[CLI_TEXT_MAX];
    if (!attached && o->kind == CLI_FLAG)
        attached = "";
    if (!attached && r->at == r->argc) {
        cli_error("--%s wants a value: --%s %s", o->name, o->name, cli_option_arg(o, arg));
        return CLI_USAGE;
    }
    r->v->text[i] = attached ? attached : r->argv[r->at++];
    return set_value(o, r->v->text[i], r->v);
}

/* --name, --name value, --name=value */
static int read_long(reader *r, const char *word)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    cli_option o;
    int i = find_option(r->command, name, n, 0, &o);
    if (i < 0)
        return unknown_option(r->command, word);
    if (equals && o.kind == CLI_FLAG)
        return bad_value(&o, equals + 1);
    return take_value(r, i, &o, equals ? equals + 1 : NULL);
}

/* -q, -qo value, -ovalue */
static int read_short(reader *r, const char *word)
{
    for (const char *s = word + 1; *s; s++) {
        cli_option o;
        int i = find_option(r->command, NULL, 0, *s, &o);
        if (i < 0) {
            cli_error("unknown option -%.1s (headstart %s --help lists them)", s, r->command->name);
            return CLI_USAGE;
        }
        if (o.kind != CLI_FLAG)
            return take_value(r, i, &o, s[1] ? s + 1 : NULL);
        (void)take_value(r, i, &o, NULL);
    }
    return 0;
}

static int set_standards(const cli_command *c, cli_values *v)
{
    cli_option o;
    int rc = 0;
    for (size_t i = 0; rc == 0 && cli_options_at(c, i, &o); i++)
        rc = o.standard ? set_value(&o, o.standard, v) : 0;
    return rc;
}

static int check_words(const cli_command *c, const cli_values *v)
{
    if (v->help)
        return 0;
    if (v->n_words < c->min_words)
        cli_error("%s missing: headstart %s %s",
                  c->missing[v->n_words] ? c->missing[v->n_words] : "a word is", c->name, c->usage);
    else if (c->max_words >= 0 && v->n_words > c->max_words)
        cli_error("'%s' is one word too many: headstart %s %s", v->words[c->max_words], c->name,
                  c->usage);
    else
        return 0;
    return CLI_USAGE;
}

int cli_options_parse(const cli_command *c, int argc, char **argv, cli_values *v)
{
    reader r = {.command = c, .argc = argc, .argv = argv, .v = v};
    memset(v, 0, sizeof *v);
    v->train = hst_train_opts_default();
    v->words = calloc((size_t)argc + 1, sizeof *v->words);
    if (!v->words) {
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    int rc = set_standards(c, v), only_words = 0;
    while (rc == 0 && r.at < argc) {
        const char *word = argv[r.at++];
        if (only_words || word[0] != '-' || word[1] == 0)
            v->words[v->n_words++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = 1;
        else
            rc = word[1] == '-' ? read_long(&r, word) : read_short(&r, word);
    }
    return rc ? rc : check_words(c, v);
}

/* ---- did you mean ---- */

enum { NEAREST_MAX = 32 }; /* longer words are not compared */

/* Edits (insert, delete, replace, swap neighbours) between two words: optimal string alignment. */
static int distance(const char *a, const char *b)
{
    int d[NEAREST_MAX + 1][NEAREST_MAX + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > NEAREST_MAX || m > NEAREST_MAX)
        return NEAREST_MAX;
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            int swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *cli_nearest(const char *typed, const char *const *names, size_t n)
{
    const char *best = NULL;
    int best_edits = 3; /* more than two edits is another word */
    for (size_t i = 0; i < n; i++) {
        int edits = distance(typed, names[i]);
        if (edits < best_edits && edits < (int)strlen(names[i]) - 1) {
            best_edits = edits;
            best = names[i];
        }
    }
    return best;
}
