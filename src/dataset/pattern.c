#include "dataset/pattern.h"

#include <string.h>

int hst_pattern_make(hst_pattern *p, const char *text, hst_err *err)
{
    char why[200];
    const int failed = regcomp(&p->regex, text, REG_EXTENDED);
    if (failed) {
        regerror(failed, &p->regex, why, sizeof why);
        return hst_fail(err, failed == REG_ESPACE ? HST_EMEM : HST_EARG,
                        "'%s' is no POSIX extended regular expression: %s", text, why);
    }
    if (p->regex.re_nsub == 0) {
        regfree(&p->regex);
        return hst_fail(err, HST_EARG,
                        "'%s' has no group: put what is the label between ( and ), as in "
                        "'([^/]+)_[0-9]+.jpg$'",
                        text);
    }
    return 0;
}

void hst_pattern_clear(hst_pattern *p)
{
    regfree(&p->regex);
}

int hst_pattern_label(const hst_pattern *p, hst_arena *arena, const char *path, const char **label,
                      hst_err *err)
{
    regmatch_t match[2];
    *label = NULL;
    if (regexec(&p->regex, path, 2, match, 0) != 0 || match[1].rm_so < 0 ||
        match[1].rm_eo <= match[1].rm_so)
        return 0;
    const size_t n = (size_t)(match[1].rm_eo - match[1].rm_so);
    char *text = hst_arena_alloc(arena, n + 1, 1, err);
    if (!text)
        return HST_EMEM;
    memcpy(text, path + match[1].rm_so, n);
    *label = text;
    return 0;
}
