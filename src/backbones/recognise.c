/* recognise.c - which network do these tensors belong to? Told by names and shapes alone. */
#include "backbones/recognise.h"
#include "backbones/cnn.h"
#include "backbones/facts.h"
#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

/* What stands in front of the dialect's marker: 1 and prefix, 0: no marker, -1: two networks. */
static int find_prefix(const hst_tensors *t, const char *marker, char prefix[HST_MAX_TENSOR_NAME])
{
    size_t nm = strlen(marker);
    int found = 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++) {
        const char *name = hst_tensors_at(t, i)->name;
        size_t n = strlen(name);
        size_t np = n >= nm ? n - nm : HST_MAX_TENSOR_NAME;
        if (np >= HST_MAX_TENSOR_NAME || strcmp(name + np, marker) != 0 ||
            (np > 0 && name[np - 1] != '.' && name[np - 1] != '/'))
            continue;
        if (found)
            return -1;
        found = 1;
        memcpy(prefix, name, np);
        prefix[np] = 0;
    }
    return found;
}

static void defaults(const hst_origin *o, hst_arch *a)
{
    *a = (hst_arch){.size = hst_size_square(o->family->px), .norm = o->dialect->norm};
    snprintf(a->family, sizeof a->family, "%s", o->family->name);
    snprintf(a->licence, sizeof a->licence, "%s", o->dialect->licence ? o->dialect->licence : "");
    o->family->kind->usual(o, a);
}

static int unknown(const hst_tensors *t, hst_err *err)
{
    const hst_tensor *first = hst_tensors_count(t) ? hst_tensors_at(t, 0) : NULL;
    return hst_fail(
        err, HST_EMODEL,
        "no network known here: %zu tensors, first '%s'; known are MobileNets, "
        "EfficientNets, ResNets, RegNetY, BiT, ConvNeXt, HGNetV2, Inceptions, NASNet and "
        "vision transformers as their libraries write them (docs/backbones.md)",
        hst_tensors_count(t), first ? first->name : "");
}

/* How a file suits a family. */
typedef struct suit {
    enum { OTHER_NAMES, OTHER_SHAPES, OTHER_OPERATORS, SUITS } level;
    double misfits; /* the part of the network that has other shapes */
} suit;

static int is_better(const suit *a, const suit *b)
{
    return a->level > b->level || (a->level == b->level && a->misfits < b->misfits);
}

static int is_numbered(const hst_dialect *d)
{
    return d->body == hst_numbered_body;
}

/* How the file suits o's family and dialect; *a: the architecture. HST_EMODEL: more than one
 * network.
 */
static int suit_of(const hst_tensors *t, hst_origin *o, hst_arch *a, suit *s, hst_err *err)
{
    hst_err why = {0};
    int has = find_prefix(t, o->dialect->marker, o->prefix);
    *s = (suit){OTHER_NAMES, 1};
    if (has < 0)
        return hst_fail(err, HST_EMODEL,
                        "more than one network in the file: several tensors end in '%s'",
                        o->dialect->marker);
    if (!has)
        return 0;
    defaults(o, a);
    const double misfit = o->family->kind->fit(t, o, a, err);
    if (misfit < 0)
        return HST_EMEM;
    *s = (suit){misfit > 0 ? OTHER_SHAPES : SUITS, misfit};
    o->fits = misfit == 0;
    if (misfit == 0 && is_numbered(o->dialect) && hst_facts_compare(t, a, &why))
        s->level = OTHER_OPERATORS;
    return why.code == HST_EMEM ? hst_fail(err, HST_EMEM, "%s", why.msg) : 0;
}

/* Which dialects are asked: all, those of graphs whose layers are numbered, the others. */
enum asked { ALL, NUMBERED, NAMED };

/* The dialect that suits best, its level OTHER_NAMES where none does; the first that suits. */
static int find_best(const hst_tensors *t, enum asked asked, hst_origin *o, hst_arch *a, suit *best,
                     hst_err *err)
{
    const hst_family *f;
    *best = (suit){OTHER_NAMES, 1};
    for (size_t i = 0; (f = hst_family_at(i)); i++)
        for (size_t j = 0; j < f->n_dialects && best->level != SUITS; j++) {
            hst_origin as = {.family = f, .dialect = &f->dialects[j]};
            hst_arch arch = {0};
            suit s;
            if (asked != ALL && is_numbered(as.dialect) != (asked == NUMBERED))
                continue;
            int rc = suit_of(t, &as, &arch, &s, err);
            if (rc)
                return rc;
            if (is_better(&s, best)) { /* where none suits, the import of the best says why */
                *o = as;
                *a = arch;
                *best = s;
            }
        }
    return 0;
}

int hst_recognise(const hst_tensors *t, hst_origin *o, hst_arch *a, hst_err *err)
{
    suit best, named;
    hst_origin by_name;
    hst_arch arch;
    const int tells_both = hst_tensors_meta(t, "graph") && hst_tensors_meta(t, HST_PROBE_FACT);
    int rc = find_best(t, tells_both ? NUMBERED : ALL, o, a, &best, err);
    if (rc == 0 && tells_both && best.level != SUITS) {
        rc = find_best(t, NAMED, &by_name, &arch, &named, err);
        if (rc == 0 && named.level == SUITS) {
            *o = by_name;
            *a = arch;
            best = named;
        }
    }
    if (rc == 0 && best.level == OTHER_OPERATORS)
        return hst_facts_compare(t, a, err);
    return rc || best.level ? rc : unknown(t, err);
}

int hst_recognise_as(const hst_tensors *t, const hst_arch *a, hst_origin *o, hst_err *err)
{
    const hst_family *f = hst_family_find(a->family);
    for (size_t j = 0; j < f->n_dialects; j++) {
        hst_origin as = {.family = f, .dialect = &f->dialects[j]};
        hst_arch arch = *a;
        if (find_prefix(t, as.dialect->marker, as.prefix) != 1)
            continue;
        const double misfit = f->kind->fit(t, &as, &arch, err);
        if (misfit < 0)
            return HST_EMEM;
        as.fits = misfit == 0;
        *o = as;
        if (as.fits)
            return hst_facts_compare(t, a, err);
    }
    return hst_fail(err, HST_EMODEL, "the file does not hold the %s that it says", a->family);
}
