#include "inspection/inspection.h"
#include "base/mem.h"
#include "features/pictures.h"
#include "inspection/look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hst_inspection_add(hst_inspection *r, const hst_find *f, hst_err *err, const char *what, ...)
{
    char text[1024];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    void *list = r->found;
    if (hst_make_room(&list, r->n_found, &r->cap, sizeof *r->found, err))
        return HST_EMEM;
    r->found = list;
    const char **paths = hst_arena_alloc(r->arena, f->n, sizeof *paths, err);
    const char *kept = paths ? hst_arena_strdup(r->arena, text, err) : NULL;
    for (size_t i = 0; kept && i < f->n; i++) {
        paths[i] = r->borrows_paths ? f->paths[i] : hst_arena_strdup(r->arena, f->paths[i], err);
        if (!paths[i])
            return HST_EMEM;
    }
    if (!kept)
        return HST_EMEM;
    const hst_kind_facts *k = &hst_kinds[f->kind];
    r->found[r->n_found] = (hst_found){.told = {.size = sizeof(hst_inspection_finding),
                                                .kind = k->name,
                                                .severity = k->severity,
                                                .title = k->title,
                                                .what = kept,
                                                .advice = k->advice,
                                                .paths = paths,
                                                .n_paths = f->n},
                                       .kind = f->kind,
                                       .rank = f->rank,
                                       .number = r->n_found};
    r->n_found++;
    return 0;
}

static int worst_first(const void *pa, const void *pb)
{
    const hst_found *a = pa, *b = pb;
    if (a->told.severity != b->told.severity)
        return a->told.severity > b->told.severity ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

hst_inspection *hst_inspection_make(const hst_inspected *in, hst_err *err)
{
    hst_inspection *r = hst_alloc(1, sizeof *r, err);
    if (!r)
        return NULL;
    r->arena = hst_arena_new(err);
    r->n = in->data->n_photos;
    r->borrows_paths = in->outlives;
    for (size_t i = 0; i < r->n; i++)
        r->n_used += !in->why[i];
    int rc = r->arena ? hst_look_at_photos(in, r, err) : HST_EMEM;
    rc = rc ? rc : hst_look_at_copies(in, r, err);
    rc = rc ? rc : hst_look_at_classes(in, r, err);
    rc = rc ? rc : hst_look_at_others(in, r, err);
    if (rc) {
        hst_inspection_free(r);
        return NULL;
    }
    if (r->n_found)
        qsort(r->found, r->n_found, sizeof *r->found, worst_first);
    return r;
}

hst_inspection *hst_inspection_search(const hst_ctx *ctx, const hst_inspected *in, hst_err *err)
{
    hst_near near = {0};
    hst_inspected with = *in;
    if (hst_near_find(ctx, in->picture, in->home, in->data->n_photos, &near, err))
        return NULL;
    with.near = &near;
    hst_inspection *r = hst_inspection_make(&with, err);
    hst_near_clear(&near);
    return r;
}

hst_inspection *hst_inspect(hst_ctx *ctx, const hst_data *d, hst_err *err)
{
    hst_inspection *r = NULL;
    hst_pictures *p = hst_pictures_of(ctx, d, err);
    uint8_t *side = p ? hst_alloc(d->n_photos, 1, err) : NULL;
    int rc = side ? hst_split_assign(d, p->content, p->why, side, err) : HST_EMEM;
    if (rc == 0)
        r = hst_inspection_search(
            ctx,
            &(hst_inspected){
                .data = d, .picture = p->picture, .home = p->pictures, .why = p->why, .side = side},
            err);
    if (r)
        r->n_stored = p->n_stored;
    free(side);
    hst_pictures_free(p);
    return r;
}

void hst_inspection_free(hst_inspection *r)
{
    if (!r)
        return;
    hst_arena_free(r->arena);
    free(r->found);
    free(r);
}

const hst_inspection_finding *hst_inspection_at(const hst_inspection *r, size_t i)
{
    return i < r->n_found ? &r->found[i].told : NULL;
}

size_t hst_inspection_used(const hst_inspection *r)
{
    return r->n_used;
}

size_t hst_inspection_stored(const hst_inspection *r)
{
    return r->n_stored;
}
