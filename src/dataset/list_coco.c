/* list_coco.c - COCO's annotations as labels of whole photos: {"images": [{"id", "file_name"}],
 * "annotations": [{"image_id", "category_id"}], "categories": [{"id", "name"}]}. An image may also
 * have its category itself: "category_id", or by name "category" or "label". */
#include "base/json.h"
#include "base/str.h"
#include "dataset/list.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mark {
    size_t image, order; /* order: of the annotation, so that labels keep theirs */
    const char *label;
} mark;

typedef struct coco {
    hst_list *l;
    json_t *images, *annotations, *categories; /* borrowed */
    json_t *number;                            /* an image's by its id */
    json_t *name;                              /* a category's by its id */
    mark *mark;
    size_t n, cap;
} coco;

enum { ID_CAP = 256 };

/* An id, which is a number or a text, as text; NULL: it is neither, or too long. */
static const char *id_text(const json_t *id, char text[ID_CAP])
{
    if (json_is_integer(id))
        snprintf(text, ID_CAP, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    else if (json_is_string(id) && json_string_length(id) < ID_CAP)
        snprintf(text, ID_CAP, "%s", json_string_value(id));
    else
        return NULL;
    return text;
}

static int no_memory(hst_err *err)
{
    return hst_fail(err, HST_EMEM, "out of memory: annotations");
}

static int add_mark(coco *c, size_t image, const char *label, hst_err *err)
{
    void *list = c->mark;
    if (hst_make_room(&list, c->n, &c->cap, sizeof *c->mark, err))
        return HST_EMEM;
    c->mark = list;
    c->mark[c->n] = (mark){image, c->n, label};
    c->n++;
    return 0;
}

/* c->name: the categories' names, kept in the arena, as integers are of no use here. */
static int read_categories(coco *c, hst_err *err)
{
    size_t i;
    json_t *category;
    char text[ID_CAP];
    json_array_foreach(c->categories, i, category)
    {
        const char *id = id_text(json_object_get(category, "id"), text);
        json_t *name = json_object_get(category, "name");
        if (!id || !json_is_string(name) || !*json_string_value(name))
            return hst_fail(err, HST_EDATA, "%s: category %zu has no id or no name", c->l->file,
                            i + 1);
        if (json_object_set(c->name, id, name) != 0)
            return no_memory(err);
    }
    return 0;
}

/* A category by its id; NULL: there is none of that id. */
static const char *category_of(const coco *c, const json_t *id)
{
    char text[ID_CAP];
    const char *key = id_text(id, text);
    return key ? json_string_value(json_object_get(c->name, key)) : NULL;
}

static int unknown_id(const coco *c, const char *what, size_t i, hst_err *err)
{
    return hst_fail(err, HST_EDATA, "%s: %s %zu names an image or a category that is not there",
                    c->l->file, what, i + 1);
}

/* What an image says of itself. */
static int read_image(coco *c, size_t i, const json_t *image, hst_err *err)
{
    char text[ID_CAP];
    const json_t *category = json_object_get(image, "category_id");
    const char *id = id_text(json_object_get(image, "id"), text);
    const char *label = json_string_value(json_object_get(image, "category"));
    label = label ? label : json_string_value(json_object_get(image, "label"));
    if (id && json_object_set_new(c->number, id, json_integer((json_int_t)i)) != 0)
        return no_memory(err);
    if (category) {
        label = category_of(c, category);
        if (!label)
            return unknown_id(c, "image", i, err);
    }
    return label && *label ? add_mark(c, i, label, err) : 0;
}

static int read_annotations(coco *c, hst_err *err)
{
    size_t i;
    json_t *each;
    char text[ID_CAP];
    int rc = 0;
    json_array_foreach(c->images, i, each)
    {
        rc = rc ? rc : read_image(c, i, each, err);
    }
    json_array_foreach(c->annotations, i, each)
    {
        const char *id = id_text(json_object_get(each, "image_id"), text);
        const json_t *number = id ? json_object_get(c->number, id) : NULL;
        const char *label = category_of(c, json_object_get(each, "category_id"));
        if (rc == 0 && (!number || !label))
            rc = unknown_id(c, "annotation", i, err);
        if (rc == 0)
            rc = add_mark(c, (size_t)json_integer_value(number), label, err);
    }
    return rc;
}

static int by_image(const void *pa, const void *pb)
{
    const mark *a = pa, *b = pb;
    return a->image != b->image ? (a->image < b->image ? -1 : 1)
                                : (a->order > b->order) - (a->order < b->order);
}

/* The labels of marks[n], each once, in the arena. */
static int take_labels(coco *c, const mark *marks, size_t n, hst_entry *e, hst_err *err)
{
    hst_arena *arena = c->l->rows->arena;
    e->label = hst_arena_alloc(arena, n, sizeof *e->label, err);
    if (!e->label)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < e->n_labels && strcmp(e->label[k], marks[i].label) != 0)
            k++;
        if (k < e->n_labels)
            continue;
        e->label[k] = hst_arena_strdup(arena, marks[i].label, err);
        if (!e->label[k])
            return HST_EMEM;
        e->n_labels++;
    }
    return 0;
}

static int add_entries(coco *c, enum hst_part part, hst_err *err)
{
    size_t i, at = 0;
    json_t *image;
    int rc = 0;
    if (c->n)
        qsort(c->mark, c->n, sizeof *c->mark, by_image);
    json_array_foreach(c->images, i, image)
    {
        const size_t first = at;
        while (at < c->n && c->mark[at].image == i)
            at++;
        const char *file = json_string_value(json_object_get(image, "file_name"));
        hst_entry e = {.part = part, .number = NAN};
        if (rc == 0 && at > first)
            rc = take_labels(c, c->mark + first, at - first, &e, err);
        if (rc == 0 && (!file || !*file))
            rc = hst_list_refuse(c->l, i + 1, "no path", err);
        else if (rc == 0)
            rc = hst_list_add(c->l, file, &e, err);
    }
    return rc;
}

static int read_all(coco *c, enum hst_part part, hst_err *err)
{
    c->number = json_object();
    c->name = json_object();
    int rc = c->number && c->name ? read_categories(c, err) : no_memory(err);
    rc = rc ? rc : read_annotations(c, err);
    rc = rc ? rc : add_entries(c, part, err);
    if (rc == 0)
        rc = hst_rows_understood(c->l->rows, err, "%s: %zu images of %zu categories", c->l->file,
                                 json_array_size(c->images), json_object_size(c->name));
    json_decref(c->number);
    json_decref(c->name);
    free(c->mark);
    return rc;
}

int hst_list_coco(hst_list *l, const hst_table_file *text, enum hst_part part, int *is,
                  hst_err *err)
{
    const char *bytes = (const char *)text->bytes;
    const size_t skip = strncmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    hst_err why = {0};
    int rc = 0;
    *is = 0;
    bytes += skip;
    if (bytes[strspn(bytes, " \t\r\n")] != '{' || !strstr(bytes, "\"images\""))
        return 0;
    json_t *o = hst_json_parse(bytes, text->n - skip, text->name, &why);
    coco c = {.l = l,
              .images = json_object_get(o, "images"),
              .annotations = json_object_get(o, "annotations"),
              .categories = json_object_get(o, "categories")};
    if (!o && why.code == HST_EMEM)
        rc = hst_fail(err, HST_EMEM, "%s", why.msg);
    *is = o && json_is_array(c.images);
    if (*is)
        rc = read_all(&c, part, err);
    json_decref(o);
    return rc;
}
