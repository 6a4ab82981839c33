/* keras_names.c - what layers without numbers of their own are called: by those that have some, as
 * keras.applications does it. */
#include "exports/keras.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int hst_keras_ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n >= e && strcmp(name + n - e, ending) == 0;
}

void hst_keras_name_like(const char *name, char out[HST_KERAS_NAME])
{
    static const struct {
        const char *ending, *other;
    } known[] = {{"_proj", "_attention"},
                 {"_se_expand", "_se_excite"},
                 {"_se_reduce", "_se_squeeze"},
                 {"_squeeze_excite_conv", "_squeeze_excite_avg_pool"},
                 {"_squeeze_excite_conv_1", "_squeeze_excite_mul"}};
    *out = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (hst_keras_ends_in(name, known[i].ending))
            snprintf(out, HST_KERAS_NAME, "%.*s%s", (int)(strlen(name) - strlen(known[i].ending)),
                     name, known[i].other);
}

/* Takes a last part off, "_project" of "block_1_project", that is one of those, or a number. */
static void cut(char *name, const char *const *parts)
{
    char *last = strrchr(name, '_');
    if (!last)
        return;
    for (; *parts; parts++)
        if (strcmp(last + 1, *parts) == 0 || (**parts == '#' && isdigit((unsigned char)last[1]))) {
            *last = 0;
            return;
        }
}

void hst_keras_name_sum(const hst_program *p, const hst_do_step *s, const char *ending,
                        char out[HST_KERAS_NAME])
{
    static const char *const norms[] = {"bn", "BN", NULL};
    static const char *const parts[] = {"project", "#", NULL};
    int last = 0;
    for (int i = 0; i < s->n_inputs; i++)
        if (*p->step[s->input[i]].name && s->input[i] > last)
            last = s->input[i];
    char name[HST_KERAS_NAME];
    snprintf(name, sizeof name, "%s", last ? p->step[last].name : "");
    cut(name, norms);
    cut(name, parts);
    snprintf(out, HST_KERAS_NAME, "%.60s%s%s", name, *name ? "_" : "", ending);
}

void hst_keras_name_activation(const hst_program *p, const hst_do_step *s, char out[HST_KERAS_NAME])
{
    static const char *const parts[] = {"conv", "dwconv", "dwconv2", NULL};
    const int is_relu = s->act == HST_ACT_RELU || s->act == HST_ACT_RELU6;
    char name[HST_KERAS_NAME];
    if (s->what == HST_DO_ADD) {
        hst_keras_name_sum(p, s, "out", out);
        return;
    }
    if (s->what == HST_DO_BATCH_NORM && *p->step[s->input[0]].name)
        s = &p->step[s->input[0]];
    snprintf(name, sizeof name, "%s", s->name);
    cut(name, parts);
    if (strcmp(name, "Conv_1") == 0) /* MobileNetV2's */
        snprintf(out, HST_KERAS_NAME, "out_relu");
    else
        snprintf(out, HST_KERAS_NAME, "%.60s%s%s", name, *name ? "_" : "",
                 is_relu ? "relu" : "activation");
}
