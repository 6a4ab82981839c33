#include "settings.h"

#include <stdio.h>
#include <string.h>

size_t cli_settings_count(void)
{
    int n = 0;
    while (hst_train_setting(n))
        n++;
    return (size_t)n;
}

static void as_option(const hst_setting *s, cli_option *out)
{
    static const enum cli_kind kinds[] = {[HST_SETTING_INT] = CLI_NUMBER,
                                          [HST_SETTING_REAL] = CLI_NUMBER,
                                          [HST_SETTING_CHOICE] = CLI_CHOICE,
                                          [HST_SETTING_FLAG] = CLI_FLAG,
                                          [HST_SETTING_TEXT] = CLI_TEXT};
    *out = (cli_option){
        .name = s->name, .kind = kinds[s->type], .arg = s->value, .help = s->help, .setting = s};
}

void cli_settings_at(size_t i, cli_option *out)
{
    as_option(hst_train_setting((int)i), out);
}

static const char *default_of(const hst_setting *s, const char *recipe, int fine_tune)
{
    hst_train_opts o = hst_train_opts_default();
    o.recipe = recipe;
    o.fine_tune = fine_tune;
    return hst_train_setting_default(s, &o);
}

/* Settings of every recipe, of those that learn step by step, of those whose backbone learns. */
enum group { EVERY, STEPS, TUNING, N_GROUPS };

static enum group group_of(const hst_setting *s)
{
    if (s->type == HST_SETTING_FLAG || default_of(s, "auto", 0))
        return EVERY;
    return default_of(s, "tutorial", 0) ? STEPS : TUNING;
}

void cli_settings_grouped_at(size_t i, cli_option *out)
{
    const hst_setting *s;
    for (int group = 0; group < N_GROUPS; group++)
        for (int k = 0; (s = hst_train_setting(k)); k++)
            if (group_of(s) == (enum group)group && i-- == 0) {
                as_option(s, out);
                return;
            }
}

int cli_settings_set(const cli_option *o, const char *text, cli_values *v)
{
    hst_err err;
    if (hst_train_opts_set(&v->train, o->name, o->kind == CLI_FLAG ? "1" : text, &err) == 0)
        return 0;
    cli_error("--%s", err.msg); /* it begins with the name */
    return CLI_USAGE;
}

const char *cli_settings_standard(const cli_option *o, char text[CLI_TEXT_MAX])
{
    const hst_setting *recipes = hst_train_setting(0);
    const char *first = NULL;
    int n = 0, differ = 0;
    if (o->kind == CLI_FLAG)
        return NULL;
    text[0] = 0;
    for (const char *const *recipe = recipes->words; *recipe; recipe++) {
        const char *one = default_of(o->setting, *recipe, 0);
        one = one ? one : default_of(o->setting, *recipe, 1);
        if (!one)
            continue;
        first = first ? first : one;
        differ |= strcmp(one, first) != 0;
        n += snprintf(text + n, (size_t)(CLI_TEXT_MAX - n), "%s%s %s", n ? ", " : "", *recipe, one);
        if (n >= CLI_TEXT_MAX)
            break;
    }
    return differ ? text : first;
}

const char *cli_settings_group(const cli_option *o)
{
    static const char *const headings[] = {[EVERY] = "",
                                           [STEPS] = "With --fine-tune or --recipe tutorial",
                                           [TUNING] = "With --fine-tune"};
    return headings[group_of(o->setting)];
}
