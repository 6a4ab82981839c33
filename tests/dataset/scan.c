/* scan - what hst_data_open makes of a folder, as JSON, for layouts.py.
 *
 *     scan DIR [split=S] [part=P] [val=DIR] [except=DIR]
 *
 * {"classes": {"cat": [train, validation, unsplit]}, "split", "understood", "left": [[path, why,
 * reason], ...], "summary", "log": [line, ...]} or {"error": line, "log": ...}. */
#include "base/context.h"
#include "dataset/dataset.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void keep_log(void *arg, int level, const char *line)
{
    (void)level;
    json_array_append_new(arg, json_string(line));
}

static void put_data(json_t *o, const hst_data *d)
{
    json_t *classes = json_object(), *left = json_array();
    for (int c = 0; c < d->n_classes; c++) {
        json_int_t n[3] = {0};
        for (size_t i = 0; i < d->n_photos; i++)
            if (d->photos[i].label == c)
                n[d->photos[i].side]++;
        json_object_set_new(classes, d->classes[c], json_pack("[I,I,I]", n[0], n[1], n[2]));
    }
    const char *path, *reason;
    enum hst_left why;
    for (size_t i = 0; (path = hst_data_left_out(d, i, &why, &reason)); i++)
        json_array_append_new(left, json_pack("[s,i,s]", hst_data_relative(d, path), why, reason));
    json_object_set_new(o, "classes", classes);
    json_object_set_new(o, "left", left);
    json_object_set_new(o, "split", json_string(hst_split_name(d->split)));
    json_object_set_new(o, "understood", json_pack("s?", hst_data_understood(d)));
    json_object_set_new(o, "summary", json_pack("s?", hst_data_left_summary(d)));
}

int main(int argc, char **argv)
{
    hst_data_opts opts = hst_data_opts_default();
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"split=", &opts.split},
                 {"part=", &opts.part},
                 {"val=", &opts.val_dir},
                 {"except=", &opts.except}};
    for (int i = 2; i < argc; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strncmp(argv[i], known[k].name, strlen(known[k].name)) == 0)
                *known[k].value = argv[i] + strlen(known[k].name);
    json_t *o = json_object(), *log = json_array();
    hst_ctx ctx = {.log = keep_log, .log_arg = log};
    hst_err err = {0};
    hst_data *d = argc > 1 ? hst_data_open(&ctx, argv[1], &opts, &err) : NULL;
    if (d)
        put_data(o, d);
    else
        json_object_set_new(o, "error", json_string(err.msg));
    json_object_set_new(o, "log", log);
    json_dumpf(o, stdout, 0);
    json_decref(o);
    hst_data_free(d);
    return argc > 1 ? 0 : 2;
}
