#include "dataset/left.h"

#include "dataset/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How each is told. */
static const struct {
    const char *reason;     /* of one file; its group's what follows behind ": " */
    const char *one, *many; /* of all: "1 photo lies ..." */
    int by_what;            /* groups are listed behind it, else names */
} facts[HST_LEFTS] = {
    [HST_LEFT_FORMAT] = {"a picture that this build does not read", NULL, NULL, 1},
    [HST_LEFT_NO_PHOTO] = {"not a photo", "file is not a photo that can be read",
                           "files are not photos that can be read", 1},
    [HST_LEFT_EMPTY] = {"an empty file", NULL, NULL, 1},
    [HST_LEFT_KERAS] = {"not in the list of Keras, which --split keras keeps",
                        "file is not in the list of Keras, which --split keras keeps",
                        "files are not in the list of Keras, which --split keras keeps", 1},
    [HST_LEFT_OUTSIDE] = {"a photo outside the class folders",
                          "photo lies outside the class folders",
                          "photos lie outside the class folders", 0},
    [HST_LEFT_FOLDER] = {"a folder that is not used", "folder is not used", "folders are not used",
                         0},
    [HST_LEFT_CLASS] = {"a class folder without photos", "class folder holds no photos",
                        "class folders hold no photos", 0},
    [HST_LEFT_UNREAD] = {"cannot be read", "file or folder cannot be read",
                         "files or folders cannot be read", 0},
    [HST_LEFT_MISSING] = {"in the list, but not there", "photo of the list is not there",
                          "photos of the list are not there", 0},
    [HST_LEFT_LABEL] = {"in the list, but without a label that can be used",
                        "photo of the list has no label that can be used",
                        "photos of the list have no label that can be used", 1},
    [HST_LEFT_UNLISTED] = {"not in the list", "photo is not in the list",
                           "photos are not in the list", 0},
    [HST_LEFT_JOINED] = {"a copy, whose labels its other file has too",
                         "copy counts as one photo with its other file, with the labels of both",
                         "copies count as one photo with their other files, with the labels of all",
                         0},
    [HST_LEFT_BESIDE] = {"no photo, and beside the class folders",
                         "other file lies beside the class folders",
                         "other files lie beside the class folders", 1},
    [HST_LEFT_JUNK] = {"hidden, or left behind by a system", "hidden file or one of a system's own",
                       "hidden files or such of a system's own", 1},
};

static int add_group(hst_left_list *l, enum hst_left why, const char *what, hst_err *err)
{
    char reason[512], clean[512];
    void *list = l->group;
    int rc = hst_make_room(&list, l->n_groups, &l->groups_cap, sizeof *l->group, err);
    l->group = list;
    if (rc)
        return rc;
    snprintf(reason, sizeof reason, "%s%s%s", facts[why].reason, *what ? ": " : "", what);
    hst_printable(clean, sizeof clean, reason);
    hst_left_group g = {.why = why,
                        .what = hst_arena_strdup(l->arena, what, err),
                        .reason = hst_arena_strdup(l->arena, clean, err)};
    if (!g.what || !g.reason)
        return HST_EMEM;
    l->group[l->n_groups++] = g;
    return 0;
}

int hst_left_add(hst_left_list *l, const char *path, enum hst_left why, const char *what,
                 hst_err *err)
{
    const char *text = what ? what : "";
    size_t g = l->n ? l->file[l->n - 1].group : 0; /* mostly as the one before */
    void *list = l->file;
    int rc = hst_make_room(&list, l->n, &l->cap, sizeof *l->file, err);
    l->file = list;
    if (rc == 0 && !(g < l->n_groups && l->group[g].why == why && !strcmp(l->group[g].what, text)))
        for (g = 0; g < l->n_groups; g++)
            if (l->group[g].why == why && strcmp(l->group[g].what, text) == 0)
                break;
    if (rc == 0 && g == l->n_groups)
        rc = add_group(l, why, text, err);
    if (rc)
        return rc;
    l->group[g].n++;
    l->file[l->n++] = (hst_left_file){path, g};
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const hst_left_file *)a)->path, ((const hst_left_file *)b)->path);
}

void hst_left_sort(hst_left_list *l)
{
    if (l->n)
        qsort(l->file, l->n, sizeof *l->file, by_path);
}

void hst_left_clear(hst_left_list *l)
{
    free(l->file);
    free(l->group);
    *l = (hst_left_list){.arena = l->arena};
}

/* ---- to tell ---- */

enum { SHOWN = 5 }; /* of the kinds or names behind a count */

/* The kinds that are counted together: pictures of other formats, other files and empty ones are
 * all no photos that can be read. */
static enum hst_left head_of(enum hst_left why)
{
    return why == HST_LEFT_FORMAT || why == HST_LEFT_EMPTY ? HST_LEFT_NO_PHOTO : why;
}

/* The most first; those of equal number by name. */
static int by_number(const void *pa, const void *pb)
{
    const hst_left_group *a = pa, *b = pb;
    if ((a->why == HST_LEFT_FORMAT) != (b->why == HST_LEFT_FORMAT))
        return a->why == HST_LEFT_FORMAT ? -1 : 1;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return strcmp(a->what, b->what);
}

static void tell_groups(const hst_left_list *l, enum hst_left head, hst_buf *b)
{
    hst_left_group group[SHOWN + 1];
    size_t kinds = 0, kept = 0;
    for (size_t g = 0; g < l->n_groups; g++) {
        if (head_of(l->group[g].why) != head)
            continue;
        kinds++;
        group[kept++] = l->group[g];
        qsort(group, kept, sizeof *group, by_number);
        kept = kept > SHOWN ? SHOWN : kept;
    }
    for (size_t g = 0; g < kept; g++)
        hst_buf_printf(b, "%s %zu %s", g ? "," : ":", group[g].n,
                       group[g].why == HST_LEFT_EMPTY ? "empty" : group[g].what);
    if (kinds > kept)
        hst_buf_printf(b, ", and %zu other kind%s", kinds - kept, kinds - kept == 1 ? "" : "s");
}

static void tell_names(const hst_left_list *l, enum hst_left head, const char *root, hst_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const hst_left_group *g = &l->group[l->file[i].group];
        if (g->why != head)
            continue;
        if (n++ >= SHOWN)
            continue;
        hst_buf_printf(b, "%s %s", n > 1 ? "," : ":", hst_tree_under(l->file[i].path, root));
        if (*g->what)
            hst_buf_printf(b, " (%s)", g->what);
    }
    if (n > SHOWN)
        hst_buf_printf(b, ", and %zu more", n - SHOWN);
}

void hst_left_tell(const hst_left_list *l, const char *root, hst_buf *b)
{
    static const enum hst_left order[] = {HST_LEFT_NO_PHOTO, HST_LEFT_KERAS,  HST_LEFT_OUTSIDE,
                                          HST_LEFT_MISSING,  HST_LEFT_LABEL,  HST_LEFT_JOINED,
                                          HST_LEFT_UNLISTED, HST_LEFT_UNREAD, HST_LEFT_FOLDER,
                                          HST_LEFT_CLASS,    HST_LEFT_JUNK};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        const enum hst_left head = order[k];
        size_t n = 0;
        for (size_t g = 0; g < l->n_groups; g++)
            n += head_of(l->group[g].why) == head ? l->group[g].n : 0;
        if (n == 0)
            continue;
        hst_buf_printf(b, "%s%zu %s", b->n ? "; " : "", n,
                       n == 1 ? facts[head].one : facts[head].many);
        if (facts[head].by_what)
            tell_groups(l, head, b);
        else if (head != HST_LEFT_OUTSIDE)
            tell_names(l, head, root, b);
    }
}

int hst_left_matters(const hst_left_list *l)
{
    for (size_t g = 0; g < l->n_groups; g++)
        if (l->group[g].why != HST_LEFT_JUNK && l->group[g].why != HST_LEFT_BESIDE &&
            l->group[g].why != HST_LEFT_JOINED)
            return 1;
    return 0;
}
