#include "labels.h"
#include "base/file.h"
#include "formats/labels.h"

#include <string.h>

/* The file of that name, in whatever folder. */
static hst_source_file *find(const hst_source *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(hst_path_base(s->file[i].name), name) == 0)
            return &s->file[i];
    return NULL;
}

static int say_file(weights *w, hst_source_file *f, int may_be_other, hst_err *err)
{
    const char *name = hst_path_base(f->name);
    hst_err why = {0};
    if (f->n_bytes > HST_LABELS_MOST_BYTES)
        return may_be_other ? 0
                            : weights_say(w, err, "labels_refused", "%s is far too large", name);
    int rc = hst_source_load(f, err);
    if (rc)
        return rc;
    json_t *list = hst_labels_parse((const char *)f->data, (size_t)f->n_bytes, name, &why);
    if (!list && (may_be_other || why.code == HST_EMEM))
        return may_be_other ? 0 : hst_fail(err, HST_EMEM, "%s", why.msg);
    if (!list) /* which a backbone does not need */
        return weights_say(w, err, "labels_refused", "%s", why.msg);
    rc = weights_say_json(w, "labels", list, err);
    rc = rc ? rc : weights_say(w, err, "labels_of", "%s", name);
    json_decref(list);
    return rc;
}

/* Of a file that was read: whether its metadata are those of Teachable Machine. */
static int is_teachable(const hst_source_file *f)
{
    json_t *o = f && f->data && f->n_bytes <= HST_LABELS_MOST_BYTES
                    ? hst_json_parse((const char *)f->data, (size_t)f->n_bytes, "", NULL)
                    : NULL;
    const int is = json_object_get(o, "tmVersion") != NULL;
    json_decref(o);
    return is;
}

int labels_say(weights *w, const hst_source *s, hst_err *err)
{
    const hst_source_file *metadata = find(s, "metadata.json");
    int rc = 0, said = 0;
    for (const char *const *name = hst_labels_files; rc == 0 && *name; name++) {
        hst_source_file *f = find(s, *name);
        if (f && (!said || f == metadata))
            rc = say_file(w, f, !name[1], err);
        said |= f != NULL;
    }
    const int is = is_teachable(metadata) || find(s, "model_unquant.tflite");
    return rc || !is ? rc : weights_say_teachable(w, err);
}
