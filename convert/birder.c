#include "birder.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

enum { MAX_SETTING = 64 };

/* NULL: the file is none of birder's, or has it not or as another kind. */
static const pickle_node *root_member(const pickle *p, const char *key, enum pickle_kind kind)
{
    const pickle_node *root = &p->node[p->root];
    if (root->kind != PICKLE_DICT || !pickle_member(p, root, "birder_version"))
        return NULL;
    const pickle_node *found = pickle_member(p, root, key);
    return found && found->kind == kind ? found : NULL;
}

const pickle_node *birder_state(const pickle *p)
{
    return root_member(p, "state", PICKLE_DICT);
}

/* A list or tuple of three numbers; NULL: it is none. */
static json_t *three_numbers(const pickle *p, const pickle_node *x)
{
    double v[3];
    if (!x || (x->kind != PICKLE_TUPLE && x->kind != PICKLE_LIST) || x->n != 3)
        return NULL;
    for (uint32_t i = 0; i < 3; i++) {
        const pickle_node *item = pickle_item(p, x, i);
        if (item->kind != PICKLE_FLOAT && item->kind != PICKLE_INT)
            return NULL;
        v[i] = item->kind == PICKLE_INT ? (double)item->i : item->d;
        if (!isfinite(v[i]))
            return NULL;
    }
    return json_pack("[f, f, f]", v[0], v[1], v[2]);
}

static int say_statistics(weights *w, const pickle *p, const pickle_node *dict, hst_err *err)
{
    json_t *o = json_object();
    int rc = o ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (int i = 0; rc == 0 && i < 2; i++) {
        const char *key = i ? "std" : "mean";
        json_t *v = three_numbers(p, pickle_member(p, dict, key));
        if (!v || json_object_set_new(o, key, v))
            rc =
                hst_fail(err, HST_EMODEL, "birder's \"rgb_stats\" has no %s of three numbers", key);
    }
    rc = rc ? rc : weights_say_json(w, "rgb_stats", o, err);
    json_decref(o);
    return rc;
}

/* Which settings there are, without what they are. */
static int say_config(weights *w, const pickle *p, const pickle_node *dict, hst_err *err)
{
    json_t *o = json_object();
    int rc = o ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (uint32_t i = 0; rc == 0 && i + 1 < dict->n; i += 2) {
        const pickle_node *key = pickle_item(p, dict, i);
        char name[MAX_SETTING] = "";
        if (key->kind == PICKLE_STRING && key->n < sizeof name)
            memcpy(name, key->s, key->n);
        if (!*name || json_object_set_new(o, name, json_null()))
            rc = hst_fail(err, HST_EMODEL, "birder's \"config\" has a name that is no usable text");
    }
    rc = rc ? rc : weights_say_json(w, "config", o, err);
    json_decref(o);
    return rc;
}

int birder_say(weights *w, const pickle *p, hst_err *err)
{
    const pickle_node *version = root_member(p, "birder_version", PICKLE_STRING);
    const pickle_node *statistics = root_member(p, "rgb_stats", PICKLE_DICT);
    const pickle_node *config = root_member(p, "config", PICKLE_DICT);
    const int n = version && version->n < 32 ? (int)version->n : 0;
    const char *text = n ? (const char *)version->s : "";
    int rc = weights_say(w, err, "birder_version", "%.*s", n, text);
    rc = rc ? rc : weights_say(w, err, "producer", "birder %.*s", n, text);
    rc = rc || !statistics ? rc : say_statistics(w, p, statistics, err);
    return rc || !config ? rc : say_config(w, p, config, err);
}
