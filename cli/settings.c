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
    *out = (cli_option){.name = s->name,
                        .kind = kinds[s->type],
                        .arg = s->value,
                        .help = s->help,
                        .setting = s,
                        .section = s->section ? s->section : "expert"};
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

int cli_settings_in_tutorial(const cli_option *o)
{
    return default_of(o->setting, "tutorial", 0) != NULL;
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
