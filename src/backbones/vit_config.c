/* vit_config.c - what config files say of vision transformers. */
#include "backbones/config.h"
#include "backbones/vit.h"
#include "base/json.h"

#include <string.h>

static int read_heads(const json_t *o, const char *key, hst_arch *a, hst_err *err)
{
    return hst_json_has(o, key) ? hst_json_int(o, key, 1, 256, &a->vit.heads, err) : 0;
}

/* ---- timm ---- */

/* 1: one of the words, up to NULL, is in the name. */
static int has_one(const char *name, const char *const *words)
{
    while (*words && !strstr(name, *words))
        words++;
    return *words != NULL;
}

/* Networks of the same names that compute something else. */
static int check_architecture(const char *name, const hst_arch *a, hst_err *err)
{
    static const char *const others[] = {"rope",   "eva",      "beit", "dinov3",  "lingbot",
                                         "relpos", "parallel", "_pe_", "sapiens", NULL};
    const hst_vit_family *f = hst_family_find(a->family)->own;
    if (f->timm ? has_one(name, f->timm) : !has_one(name, others))
        return 0;
    return hst_fail(err, HST_EMODEL, "\"architecture\" is '%.60s', which is not known here", name);
}

/* Of SigLIP's, these have GELU by tanh, the others the exact one. */
static int is_tanh(const char *name)
{
    const size_t n = strlen(name);
    return strstr(name, "siglip") &&
           (strstr(name, "base_patch32") || strstr(name, "so400m_patch16") ||
            strstr(name, "giantopt") ||
            (strstr(name, "large") && n > 3 && strcmp(name + n - 3, "512") == 0));
}

/* What timm's name of a network says that its tensors do not. */
static void read_name(const char *name, hst_vit_arch *v)
{
    if (strstr(name, "quickgelu"))
        v->act = HST_ACT_GELU_QUICK;
    if (is_tanh(name))
        v->act = HST_ACT_GELU_TANH;
    if (strncmp(name, "test_vit", 8) == 0)
        v->heads = v->dim / 32;
    if (strstr(name, "giantopt"))
        v->heads = 16;
}

/* What the network is told beside its name. */
static void read_args(const json_t *args, hst_vit_arch *v)
{
    static const struct {
        const char *key, *word;
        int act, pool; /* -1: it is the other */
    } known[] = {{"act_layer", "gelu", HST_ACT_GELU, -1},
                 {"act_layer", "gelu_tanh", HST_ACT_GELU_TANH, -1},
                 {"act_layer", "quick_gelu", HST_ACT_GELU_QUICK, -1},
                 {"global_pool", "token", -1, HST_VIT_CLS},
                 {"global_pool", "avg", -1, HST_VIT_MEAN},
                 {"global_pool", "map", -1, HST_VIT_MAP}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *word = json_string_value(json_object_get(args, known[i].key));
        if (!word || strcmp(word, known[i].word) != 0)
            continue;
        if (known[i].act >= 0)
            v->act = (enum hst_act)known[i].act;
        if (known[i].pool >= 0)
            v->pool = (enum hst_vit_pool)known[i].pool;
    }
}

/* Cells of a side that positions are told in, and the longest wave. */
static int read_rotary(const json_t *args, hst_vit_arch *v, hst_err *err)
{
    const json_t *cells = json_object_get(args, "ref_feat_shape");
    const json_t *rows = json_is_array(cells) ? json_array_get(cells, 0) : cells;
    const json_t *columns = json_is_array(cells) ? json_array_get(cells, 1) : cells;
    const json_int_t side = json_integer_value(rows);
    if (!v->rotary.is)
        return 0;
    if (hst_json_has(args, "ref_feat_shape")) {
        if (side < 1 || side > HST_MOST_PX || side != json_integer_value(columns))
            return hst_fail(err, HST_EMODEL, "\"ref_feat_shape\" is of no square");
        v->rotary.learned = (int)side;
    }
    return hst_json_has(args, "rope_temperature")
               ? hst_json_real(args, "rope_temperature", 1.01, 1e9, &v->rotary.base, err)
               : 0;
}

/* Whose networks were trained with it, whatever the architecture is called. */
static int is_quick(const char *tag)
{
    return tag && (strcmp(tag, "openai") == 0 || strncmp(tag, "metaclip", 8) == 0);
}

int hst_vit_timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *name = NULL;
    const json_t *p = hst_config_timm_cfg(o);
    int rc = hst_json_text(o, "architecture", &name, err);
    rc = rc ? rc : check_architecture(name, a, err);
    if (rc)
        return rc;
    read_name(name, &a->vit);
    if (is_quick(json_string_value(json_object_get(p, "tag"))))
        a->vit.act = HST_ACT_GELU_QUICK;
    const json_t *args = json_object_get(o, "model_args");
    read_args(args, &a->vit);
    rc = read_heads(args, "num_heads", a, err);
    rc = rc ? rc : read_rotary(args, &a->vit, err);
    rc = rc ? rc : hst_config_timm_pretrained(p, a, err);
    if (rc)
        return rc;
    hst_config_timm_licence(p, a);
    /* a classifier was taught at the size that the file says */
    if (json_integer_value(json_object_get(o, "num_classes")) == 0)
        a->size = hst_vit_usual_size(a->size, a->vit.patch);
    hst_config_timm_sizing(p, a->size, &a->sizing);
    return 0;
}

/* ---- transformers ---- */

static int read_act(const json_t *o, hst_arch *a, hst_err *err)
{
    static const struct {
        const char *name;
        enum hst_act act;
    } known[] = {{"gelu", HST_ACT_GELU},
                 {"gelu_new", HST_ACT_GELU_TANH},
                 {"gelu_pytorch_tanh", HST_ACT_GELU_TANH},
                 {"quick_gelu", HST_ACT_GELU_QUICK},
                 {"silu", HST_ACT_SWISH}};
    const char *name = NULL;
    int rc = hst_json_has(o, "hidden_act") ? hst_json_text(o, "hidden_act", &name, err) : 0;
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            a->vit.act = known[i].act;
            return 0;
        }
    if (name)
        rc = hst_fail(err, HST_EMODEL, "\"hidden_act\" is '%.40s', which is not known here", name);
    return rc;
}

int hst_vit_huggingface_config(const json_t *root, hst_arch *a, hst_err *err)
{
    const json_t *vision = json_object_get(root, "vision_config");
    const json_t *o = json_is_object(vision) ? vision : root; /* of an image and a text tower */
    int rc = read_act(o, a, err);
    rc = rc ? rc : read_heads(o, "num_attention_heads", a, err);
    rc = rc ? rc : hst_config_image_size(o, &a->size, err);
    if (rc == 0 && hst_json_has(o, "layer_norm_eps"))
        rc = hst_json_real(o, "layer_norm_eps", 1e-12, 1e-2, &a->vit.epsilon, err);
    if (rc == 0 && a->vit.rotary.is && hst_json_has(o, "rope_theta"))
        rc = hst_json_real(o, "rope_theta", 1.01, 1e9, &a->vit.rotary.base, err);
    a->size = hst_vit_usual_size(a->size, a->vit.patch);
    return rc;
}

/* ---- OpenCLIP ---- */

int hst_vit_open_clip_config(const json_t *root, hst_arch *a, hst_err *err)
{
    const json_t *model = json_object_get(root, "model_cfg"), *o = model ? model : root;
    const json_t *vision = json_object_get(o, "vision_cfg");
    const char *tower = json_string_value(json_object_get(vision, "timm_model_name"));
    int width = 0, rc = 0;
    if (hst_json_has(root, "vision_config")) /* the others' that lies in the same folder */
        return hst_vit_huggingface_config(root, a, err);
    if (hst_json_has(root, "architecture"))
        return hst_vit_timm_config(root, a, err);
    if (tower && (rc = check_architecture(tower, a, err)))
        return rc;
    if (tower)
        read_name(tower, &a->vit);
    if (json_is_true(json_object_get(o, "quick_gelu")))
        a->vit.act = HST_ACT_GELU_QUICK;
    if (hst_json_has(vision, "head_width"))
        rc = hst_json_int(vision, "head_width", 8, 4096, &width, err);
    if (rc == 0 && width)
        a->vit.heads = a->vit.dim / width;
    rc = rc ? rc : hst_config_image_size(vision, &a->size, err);
    a->size = hst_vit_usual_size(a->size, a->vit.patch);
    return rc;
}
