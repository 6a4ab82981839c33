#include "file_scene.h"

#include "made_up.h"
#include "support.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const labels[3] = {"daisy", "rose \xc3\xa9 \"x\"", "tulip/2"};

scene *set_up(void)
{
    hst_err err = {0};
    scene *s = calloc(1, sizeof *s);
    s->ctx = made_up_ctx(1);
    s->b = made_up_backbone(s->ctx, 1);
    s->m = made_up_model(s->b, labels, 3);
    s->dir = temporary_folder();
    snprintf(s->path, sizeof s->path, "%s/model.safetensors", s->dir);
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    return s;
}

void tear_down(scene *s)
{
    remove_tree(s->dir);
    free(s->dir);
    free(s->bytes);
    hst_model_free(s->m);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    free(s);
}

void take_apart(const scene *s, parts *p)
{
    hst_err err = {0};
    p->t = hst_tensors_parse(s->bytes, s->n, &err);
    check_ok(p->t == NULL, &err);
    p->n = hst_tensors_count(p->t);
    assert_true(p->n < 400);
    for (size_t i = 0; i < p->n; i++)
        p->named[i] = *hst_tensors_at(p->t, i);
    p->n_meta = 0;
    for (const char *k = NULL; (k = hst_tensors_meta_next(p->t, k));)
        p->meta[p->n_meta++] = (hst_meta_pair){k, hst_tensors_meta(p->t, k)};
}

void refused_parts(scene *s, parts *p, const char *why)
{
    hst_err err = {0};
    char digest[65];
    check_ok(hst_tensors_digest(p->named, p->n, p->meta, p->n_meta, "content_sha256", digest, &err),
             &err);
    for (size_t i = 0; i < p->n_meta; i++)
        if (strcmp(p->meta[i].key, "content_sha256") == 0)
            p->meta[i].value = digest;
    check_ok(hst_tensors_write(s->path, p->named, p->n, p->meta, p->n_meta, &err), &err);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    if (m || err.code != HST_EMODEL || !strstr(err.msg, why))
        fail_msg("%s: %s, code %d '%s'", why, m ? "loaded" : "refused", err.code, err.msg);
    hst_tensors_free(p->t);
}

size_t tensor_at(const parts *p, const char *name)
{
    size_t i = 0;
    while (i < p->n && strcmp(p->named[i].name, name) != 0)
        i++;
    assert_true(i < p->n);
    return i;
}
