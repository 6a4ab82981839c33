/* Vision transformers: every dialect's file with made-up weights beside the library whose names it
 * has (golden_vit.py), on every instruction set; published sizes; what is refused. */
#include "made_up.h"
#include "support.h"

#include "backbones/recognise.h"
#include "backbones/vit.h"
#include "base/file.h"
#include "extractor/extractor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

#define HUGGINGFACE "{\"num_attention_heads\": 2, \"layer_norm_eps\": 1e-6}"
#define TIMM(name)                                                                                 \
    "{\"architecture\": \"" name "\", \"pretrained_cfg\": {\"input_size\": [3, 96, 96]}}"

static const struct network {
    const char *name;   /* of its golden files */
    const char *family; /* that it must be taken for */
    const char *pool, *config;
    hst_size size;
} networks[] = {
    {"timm_vit", "vit", "cls", TIMM("vit_small_patch16_224"), {96, 64}},
    {"timm_dinov2", "dinov2", "cls+mean", TIMM("vit_small_patch14_dinov2"), {56, 56}},
    {"timm_dinov2_reg", "dinov2", "mean", TIMM("vit_small_patch14_reg4_dinov2"), {56, 98}},
    {"timm_reg1_gap", "vit", NULL, TIMM("vit_wee_patch16_reg1_gap_256"), {64, 64}},
    {"timm_clip", "clip", NULL, TIMM("vit_base_patch32_clip_quickgelu_224"), {96, 96}},
    {"timm_distilled", "vit", "cls", TIMM("deit_small_distilled_patch16_224"), {96, 96}},
    {"deit3", "vit", NULL, TIMM("deit3_small_patch16_224"), {64, 112}},
    {"dinov2", "dinov2", NULL, "{}", {70, 56}},
    {"dinov2_reg", "dinov2", NULL, "{}", {70, 56}},
    {"hf_dinov2", "dinov2", "cls", HUGGINGFACE, {70, 56}},
    {"hf_dinov2_reg", "dinov2", "cls+mean", HUGGINGFACE, {70, 56}},
    {"hf_vit", "vit", NULL, "{\"num_attention_heads\": 2, \"layer_norm_eps\": 1e-12}", {96, 64}},
    {"hf_deit", "vit", "mean", "{\"num_attention_heads\": 2}", {96, 96}},
    {"hf_clip",
     "clip",
     NULL,
     "{\"num_attention_heads\": 2, \"hidden_act\": \"quick_gelu\"}",
     {64, 96}},
    {"timm_siglip", "siglip", NULL, TIMM("vit_base_patch32_siglip_256"), {96, 64}},
    {"hf_siglip", "siglip", NULL, HUGGINGFACE, {64, 96}},
    {"dinov3", "dinov3", NULL, NULL, {80, 64}},
    {"timm_dinov3",
     "dinov3",
     "cls+mean",
     "{\"architecture\": \"vit_small_plus_patch16_dinov3_qkvb\", \"model_args\": {\"num_heads\": "
     "2}}",
     {64, 64}},
    {"hf_dinov3",
     "dinov3",
     "mean",
     "{\"num_attention_heads\": 2, \"layer_norm_eps\": 1e-5, \"hidden_act\": \"silu\", "
     "\"rope_theta\": 100.0}",
     {96, 48}},
    {"timm_pe", "pe", NULL, TIMM("vit_pe_core_tiny_patch16_384"), {96, 64}},
    {"pe", "pe", NULL, NULL, {80, 96}},
    {"open_clip",
     "clip",
     "mean",
     "{\"model_cfg\": {\"vision_cfg\": {\"head_width\": 64}}}",
     {64, 64}},
    {"birder", "dinov2", NULL, NULL, {70, 56}},
    {"torchvision", "vit", NULL, "{}", {64, 64}},
    {"torchvision_old", "vit", NULL, "{}", {96, 96}},
};

static char *golden_path(const char *name, const char *ending)
{
    hst_err err = {0};
    char file[128];
    const char *root = getenv("HEADSTART_ROOT");
    snprintf(file, sizeof file, "tests/golden/vit/%s%s", name, ending);
    return hst_path_join(root ? root : ".", file, &err);
}

/* The nearest number of 8 binary digits. */
static float of_bfloat16(double x)
{
    const double step = exp2(floor(log2(x)) - 7);
    return (float)(nearbyint(x / step) * step);
}

/* "name 64 3 16 16" -> the tensor with numbers that golden_vit.py makes up for the i-th. */
static hst_tensor read_tensor(char *line, int i)
{
    hst_tensor t = {.name = strtok(line, " \n"), .dtype = HST_F32};
    size_t n = 1, fan = 1;
    for (char *d; (d = strtok(NULL, " \n")); n *= (size_t)t.dim[t.n_dims++])
        t.dim[t.n_dims] = strtol(d, NULL, 10);
    for (int k = 1; k < t.n_dims; k++)
        fan *= (size_t)t.dim[k];
    const size_t len = strlen(t.name);
    const int matrix = t.n_dims == 2 || t.n_dims == 4;
    const int norm = !matrix && len > 6 && strcmp(t.name + len - 6, "weight") == 0;
    const double scale = matrix ? sqrt(24.0 / (double)fan) : 0.4;
    float *x = calloc(n, sizeof *x);
    for (size_t k = 0; k < n; k++)
        x[k] = strstr(t.name, "bias_mask") ? k < n / 3 || k >= n / 3 * 2
               : strstr(t.name, "periods")
                   ? of_bfloat16(pow(100, (double)k / (double)n))
                   : (float)(norm + scale * made_up_noise((uint32_t)i + 1, (uint32_t)k));
    t.data = x;
    t.n_bytes = n * sizeof *x;
    return t;
}

enum { MOST_TENSORS = 200 };

/* A made-up file as it is on disk; line[i] holds tensor[i]'s name. */
typedef struct file {
    hst_tensor tensor[MOST_TENSORS];
    char line[MOST_TENSORS][160];
    int n;
} file;

static file *read_file(const char *name)
{
    file *f = calloc(1, sizeof *f);
    char *path = golden_path(name, ".txt");
    FILE *in = fopen(path, "r");
    if (!in)
        fail_msg("%s", path);
    for (; f->n < MOST_TENSORS && fgets(f->line[f->n], sizeof *f->line, in); f->n++)
        f->tensor[f->n] = read_tensor(f->line[f->n], f->n);
    fclose(in);
    free(path);
    return f;
}

static void free_file(file *f)
{
    for (int i = 0; i < f->n; i++)
        free((void *)f->tensor[i].data);
    free(f);
}

/* A folder with that file; config NULL: none, and the tensors of names that hold `without` are left
 * out. */
static char *folder_of(const file *f, const char *config, const char *without)
{
    hst_err err = {0};
    hst_tensor kept[MOST_TENSORS];
    int n = 0;
    char *dir = temporary_folder(), *path = hst_path_join(dir, "model.safetensors", &err);
    for (int i = 0; i < f->n; i++)
        if (!without || !strstr(f->tensor[i].name, without))
            kept[n++] = f->tensor[i];
    check_ok(hst_tensors_write(path, kept, (size_t)n, NULL, 0, &err), &err);
    free(path);
    path = hst_path_join(dir, "config.json", &err);
    check_ok(config ? hst_file_write(path, config, strlen(config), &err) : 0, &err);
    free(path);
    return dir;
}

static hst_backbone *open_it(hst_ctx *ctx, const char *dir, const hst_backbone_opts *o,
                             hst_err *err)
{
    char *path = hst_path_join(dir, "model.safetensors", err), *config = NULL;
    config = hst_path_join(dir, "config.json", err);
    hst_backbone *b = hst_backbone_open_with(ctx, hst_is_file(config) ? dir : path, o, err);
    free(config);
    free(path);
    return b;
}

static void run(const hst_backbone *b, const char *kernels, float *y)
{
    hst_err err = {0};
    const size_t floats = hst_size_pixels(b->arch.size) * 3;
    float *x = calloc(floats, sizeof *x);
    hst_plan *p = hst_plan_new(b->graph, hst_kernels_find(kernels), &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err);
    check_ok(w == NULL, &err);
    for (size_t i = 0; i < floats; i++)
        x[i] = (float)(2 * made_up_noise(0, (uint32_t)i));
    hst_plan_run(p, w, x, 1, y);
    hst_work_free(w);
    hst_plan_free(p);
    free(x);
}

static void check_features(const hst_backbone *b, const struct network *n)
{
    char *path = golden_path(n->name, ".npy");
    npy want = npy_read(path);
    float *y = calloc(want.count, sizeof *y);
    const double most = largest_of(want.data, want.count);
    assert_int_equal(hst_plan_output(b->plan).c, want.count);
    for (int i = 0, usable; hst_kernels_name(i, &usable); i++) {
        if (!usable)
            continue;
        run(b, hst_kernels_name(i, NULL), y);
        check_close(y, want.data, want.count, 1e-5 * most, 0, n->name);
    }
    free(y);
    free(want.data);
    free(path);
}

static hst_backbone_opts opts_of(hst_size size, const char *pool)
{
    hst_backbone_opts o = hst_backbone_opts_default();
    o.image_width_px = size.width;
    o.image_height_px = size.height;
    o.pool = pool;
    return o;
}

/* 1: its tensors are named as birder names them. */
static int is_birders(const char *dir)
{
    hst_err err = {0};
    hst_origin o;
    hst_arch a;
    char *path = hst_path_join(dir, "model.safetensors", &err);
    hst_tensors *t = hst_tensors_read(path, &err);
    check_ok(t ? hst_recognise(t, &o, &a, &err) : HST_EIO, &err);
    const int is = strcmp(o.dialect->name, "birder") == 0;
    hst_tensors_free(t);
    free(path);
    return is;
}

static void check_network(hst_ctx *ctx, const struct network *n)
{
    hst_err err = {0};
    file *f = read_file(n->name);
    char *dir = folder_of(f, n->config, NULL);
    const hst_backbone_opts o = opts_of(n->size, n->pool);
    hst_backbone *b = open_it(ctx, dir, &o, &err);
    check_ok(b == NULL, &err);
    assert_string_equal(b->arch.family, n->family);
    assert_int_equal(is_birders(dir), strcmp(n->name, "birder") == 0);
    check_features(b, n);

    char *json = hst_arch_json(&b->arch, &err); /* through the model file */
    hst_arch back;
    check_ok(json ? hst_arch_parse(json, &back, &err) : HST_EMEM, &err);
    assert_memory_equal(&back.vit, &b->arch.vit, sizeof back.vit);
    free(json);
    hst_backbone_free(b);
    remove_tree(dir);
    free(dir);
    free_file(f);
}

static void files_have_their_librarys_features(void **state)
{
    (void)state;
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        check_network(ctx, &networks[i]);
    hst_close(ctx);
}

/* ---- birder ---- */

static const struct birders {
    const char *name, *key, *value; /* of the file and of its metadata */
    const char *why;                /* it is refused */
    double mean, std;
} birders[] = {
    {"vit.safetensors", "rgb_stats", "{\"mean\": [0.25, 0, 0], \"std\": [0.5, 1, 1]}", NULL, 0.25,
     0.5},
    {"vit.safetensors", "config", "{}", NULL, 0.5191, 0.2316},
    {"vit.safetensors", "config", "{\"num_heads\": 2}", "\"num_heads\" of its own", 0, 0},
    {"vit.safetensors", "rgb_stats", "{\"mean\": [0.5]}", "mean", 0, 0},
    {"rope_vit_s14.safetensors", "config", "", "by its name the file", 0, 0}};

static void birders_metadata_counts(void **state)
{
    (void)state;
    hst_ctx *ctx = made_up_ctx(1);
    file *f = read_file("birder");
    char *dir = temporary_folder();
    for (size_t i = 0; i < sizeof birders / sizeof *birders; i++) {
        const struct birders *c = &birders[i];
        const hst_meta_pair meta[] = {{"birder_version", "0.8.4"}, {c->key, c->value}};
        hst_err err = {0};
        char *path = hst_path_join(dir, c->name, &err);
        check_ok(hst_tensors_write(path, f->tensor, (size_t)f->n, meta, 2, &err), &err);
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        if (c->why ? b || !strstr(err.msg, c->why) : !b)
            fail_msg("%zu: '%s'", i, err.msg);
        assert_true(!b || fabs((double)b->arch.norm.mean[0] - 255 * c->mean) < 1e-4);
        assert_true(!b || fabs((double)b->arch.norm.std[0] - 255 * c->std) < 1e-4);
        hst_backbone_free(b);
        free(path);
    }
    remove_tree(dir);
    free(dir);
    free_file(f);
    hst_close(ctx);
}

/* ---- sizes ---- */

#define TURNED(way_, learned_, base_) .rotary = {1, HST_ROTARY_##way_, learned_, base_}

/* timm's counts of the networks without a head at that size, and multiply-adds of its products; of
 * the two numbers of a class token, its own and its position, ours has the sum (dim less). */
static const struct published {
    hst_vit_arch v;
    int px;
    uint64_t params;
    double gflop; /* two a multiply-add; with those of attention's products */
} published[] = {
    {{384, 12, 6, 14, 1536, 1, 0, 1}, 224, 21628800, 12.2469},
    {{384, 12, 6, 14, 1536, 1, 4, 1}, 224, 21629952, 12.4552},
    {{768, 12, 12, 14, 3072, 1, 0, 1}, 224, 85724928, 46.3224},
    {{384, 12, 6, 16, 1536, 1, 0, 0}, 224, 21665664, 9.1970},
    {{192, 12, 3, 16, 768, 1, 0, 0}, 224, 5524416, 2.5070},
    {{256, 14, 4, 16, 1280, 0, 1, 1, 0, 1, HST_VIT_MEAN}, 256, 13165568, 7.6499},
    {{256, 10, 4, 16, 1024, 1, 0, 0, 1}, 224, 8145920, 3.5730},
    {{768, 12, 12, 32, 3072, .pool = HST_VIT_MAP, .attention_pool = 1}, 256, 94552320, 11.4883},
    {{384, 12, 6, 16, 1536, 1, 4, 1, .no_table = 1, TURNED(HALVES, 0, 100)}, 256, 21596160, 12.49},
    {{384, 12, 6, 16, 1536, 1, 4, 1, .no_table = 1, .gated = 1, TURNED(HALVES, 0, 100)},
     256,
     28692480,
     16.19},
    {{192, 12, 3, 16, 768, 1, 0, 0, 1, .pool = HST_VIT_MAP, .attention_pool = 1, .pool_heads = 8,
      TURNED(PAIRS, 24, 10000)},
     384,
     6042240,
     9.45},
    {{384, 12, 6, 16, 1536, 1, 0, 0, 1, .pool = HST_VIT_MAP, .attention_pool = 1, .pool_heads = 8,
      TURNED(PAIRS, 24, 10000)},
     384,
     23586048,
     31.32},
};

static void networks_have_their_published_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        hst_err err = {0};
        const struct published *p = &published[i];
        hst_arch a = {.family = "vit", .size = {p->px, p->px}, .vit = p->v};
        a.vit.act = HST_ACT_GELU;
        a.vit.epsilon = 1e-6;
        a.norm = (hst_pixel_norm)HST_NORM_01;
        hst_graph *g = hst_arch_graph(&a, &err);
        check_ok(g == NULL, &err);
        const uint64_t dim = (uint64_t)p->v.dim;
        uint64_t n = p->v.class_token && !p->v.no_table ? dim : 0; /* timm has its position apart */
        n -= p->v.pre_norm ? dim : 0;                              /* no bias of patches there */
        n -= p->v.registers && p->v.class_token && !p->v.no_table ? dim : 0;
        n -= p->v.no_table ? dim * (uint64_t)p->v.depth : 0; /* no bias of keys there */
        for (size_t k = 0; k < hst_graph_n_params(g); k++)
            n += hst_param_count(hst_graph_param(g, k));
        const double gflop = hst_graph_flops(g) / 1e9;
        if (n != p->params || fabs(gflop - p->gflop) > 0.01 * p->gflop)
            fail_msg("%zu: %llu parameters, %.4f GFLOP", i, (unsigned long long)n, gflop);
        hst_graph_free(g);
    }
}

/* ---- other sizes and poolings ---- */

/* A view of another size, and a size that is asked for, are the same network. */
static void positions_follow_the_size(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    file *f = read_file("timm_vit");
    char *dir = folder_of(f, networks[0].config, NULL);
    const hst_backbone_opts o = opts_of((hst_size){160, 128}, NULL);
    hst_backbone *b = open_it(ctx, dir, NULL, &err), *large = open_it(ctx, dir, &o, &err);
    check_ok(!b || !large, &err);
    assert_int_equal(b->arch.size.width, 96); /* as its table of positions was learned */
    assert_int_equal(b->arch.vit.pool, HST_VIT_CLS);
    hst_plan *p = hst_backbone_plan_at(ctx, b, b->graph, large->arch.size, &err);
    check_ok(p == NULL, &err);
    enum { FLOATS = 160 * 128 * 3 };
    float *x = calloc(FLOATS, sizeof *x), y[2][64];
    for (uint32_t i = 0; i < FLOATS; i++)
        x[i] = (float)made_up_noise(3, i);
    const hst_plan *plans[] = {p, large->plan};
    for (int i = 0; i < 2; i++) {
        hst_work *w = hst_work_new(plans[i], &err);
        check_ok(w == NULL, &err);
        hst_plan_run(plans[i], w, x, 1, y[i]);
        hst_work_free(w);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    free(x);
    hst_plan_free(p);
    hst_backbone_free(large);
    hst_backbone_free(b);
    remove_tree(dir);
    free(dir);
    free_file(f);
    hst_close(ctx);
}

/* A file may say a size of which its patches cover a part (SigLIP: 384 of patches of 14). */
static void the_usual_size_is_of_whole_patches(void **state)
{
    static const struct {
        hst_size learned, usual;
        int patch;
    } sizes[] = {{{384, 384}, {378, 378}, 14},
                 {{518, 518}, {224, 224}, 14},
                 {{512, 512}, {224, 224}, 32},
                 {{256, 160}, {256, 160}, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_true(
            hst_size_equal(hst_vit_usual_size(sizes[i].learned, sizes[i].patch), sizes[i].usual));
}

/* The features are the mean over the map, which is of patches alone, row by row. */
static void a_mean_has_a_map(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    const struct network *n = &networks[2];
    file *f = read_file(n->name);
    char *dir = folder_of(f, n->config, NULL);
    const hst_backbone_opts o = opts_of(n->size, n->pool), cls = opts_of(n->size, "cls");
    hst_backbone *b = open_it(ctx, dir, &o, &err), *other = open_it(ctx, dir, &cls, &err);
    check_ok(!b || !other, &err);
    hst_extractor *e = hst_extractor_of(ctx, b, NULL, &err);
    hst_extractor *no = hst_extractor_of(ctx, other, NULL, &err);
    hst_extractor *maps = e && no ? hst_extractor_with_maps(e, ctx, &err) : NULL;
    check_ok(maps == NULL, &err);
    const hst_view *v = &maps->branch[0].view[0];
    assert_true(v->map.h == 7 && v->map.w == 4 && v->map.c == 64 && v->before == 5 * 64);
    float *raw = calloc(hst_plan_output_floats(v->plan), sizeof *raw);
    float *x = calloc(hst_size_pixels(n->size) * 3, sizeof *x);
    for (uint32_t i = 0; i < hst_size_pixels(n->size) * 3; i++)
        x[i] = (float)made_up_noise(4, i);
    hst_work *w = hst_work_new(v->plan, &err);
    check_ok(w == NULL, &err);
    hst_plan_run(v->plan, w, x, 1, raw);
    const float *map = raw + v->before, *features = map + hst_shape_floats(v->map);
    for (int c = 0; c < 64; c++) {
        double sum = 0;
        for (int at = 0; at < 28; at++)
            sum += (double)map[at * 64 + c];
        assert_true(fabs(sum / 28 - (double)features[c]) < 1e-5);
    }
    assert_null(hst_extractor_with_maps(no, ctx, &err));
    assert_int_equal(err.code, HST_EUNSUP);
    hst_work_free(w);
    free(x);
    free(raw);
    hst_extractor_free(maps);
    hst_extractor_free(no);
    hst_extractor_free(e);
    hst_backbone_free(other);
    hst_backbone_free(b);
    remove_tree(dir);
    free(dir);
    free_file(f);
    hst_close(ctx);
}

/* ---- refused ---- */

static const struct refusal {
    const char *network, *config, *without, *pool;
    hst_size size;
    const char *why;
} refusals[] = {
    {"timm_vit",
     TIMM("vit_small_patch16_224"),
     NULL,
     NULL,
     {100, 96},
     "patches of 16 x 16 pixels, and 100 is no multiple of 16: choose 96 or 112"},
    {"timm_vit", TIMM("vit_small_patch16_224"), NULL, NULL, {32, 40}, "choose 32 or 48"},
    {"timm_vit",
     TIMM("vit_small_patch16_224"),
     "blocks.1.attn.qkv.weight",
     NULL,
     {96, 96},
     "'blocks.1.attn.qkv.weight' [192, 64] is missing"},
    {"timm_vit",
     TIMM("vit_small_patch16_rope_224"),
     NULL,
     NULL,
     {96, 96},
     "'vit_small_patch16_rope_224', which is not known here"},
    {"timm_vit",
     TIMM("vit_small_patch16_224"),
     "cls_token",
     "cls",
     {96, 96},
     "no class token: its features can be the mean of its patches alone"},
    {"timm_vit",
     TIMM("vit_small_patch16_224"),
     NULL,
     "max",
     {96, 96},
     "unknown pool 'max': cls, mean, cls+mean or map"},
    {"timm_vit",
     TIMM("vit_small_patch16_224"),
     NULL,
     "map",
     {96, 96},
     "this vit has no attention pool: choose \"cls\", \"mean\" or \"cls+mean\""},
    {"timm_siglip",
     TIMM("vit_base_patch32_siglip_256"),
     "attn_pool.latent",
     "map",
     {96, 96},
     "this vit has no attention pool: choose \"mean\""},
    {"timm_siglip",
     TIMM("vit_base_patch32_siglip_256"),
     NULL,
     "cls",
     {96, 96},
     "no class token: its features can be the mean of its patches (pool \"mean\") or what "
     "attention makes of them (\"map\")"},
    {"hf_siglip",
     HUGGINGFACE,
     "head.mlp.fc2.weight",
     NULL,
     {96, 96},
     "'head.mlp.fc2.weight' [32, 48] is missing"},
    {"timm_reg1_gap",
     TIMM("vit_wee_patch16_reg1_gap_256"),
     NULL,
     "cls+mean",
     {96, 96},
     "no class token"},
    {"hf_vit",
     NULL,
     NULL,
     NULL,
     {96, 96},
     "how many heads a vit of 32 numbers a token has: give the folder with its config.json"},
    {"hf_vit", "{\"num_attention_heads\": 5}", NULL, NULL, {96, 96}, "5 heads of tokens of 32"},
    {"timm_pe",
     TIMM("vit_pe_spatial_tiny_patch16_512"),
     NULL,
     NULL,
     {96, 96},
     "'vit_pe_spatial_tiny_patch16_512', which is not known here"},
    {"timm_dinov3",
     NULL,
     "blocks.0.mlp.fc1_x.weight",
     NULL,
     {64, 64},
     "'blocks.0.mlp.fc1_x.weight' [64, 64] is missing"},
    {"hf_clip",
     "{\"hidden_act\": \"relu\", \"num_attention_heads\": 2}",
     NULL,
     NULL,
     {96, 96},
     "\"hidden_act\" is 'relu', which is not known here"},
};

static void what_cannot_be_is_refused_in_words(void **state)
{
    (void)state;
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        hst_err err = {0};
        file *f = read_file(r->network);
        char *dir = folder_of(f, r->config, r->without);
        const hst_backbone_opts o = opts_of(r->size, r->pool);
        assert_null(open_it(ctx, dir, &o, &err));
        if (!strstr(err.msg, r->why))
            fail_msg("got '%s', want '%s'", err.msg, r->why);
        remove_tree(dir);
        free(dir);
        free_file(f);
    }
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_their_librarys_features),
        cmocka_unit_test(birders_metadata_counts),
        cmocka_unit_test(networks_have_their_published_sizes),
        cmocka_unit_test(positions_follow_the_size),
        cmocka_unit_test(the_usual_size_is_of_whole_patches),
        cmocka_unit_test(a_mean_has_a_map),
        cmocka_unit_test(what_cannot_be_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("vit", tests, NULL, NULL);
}
