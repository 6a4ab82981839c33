/* torch.c - a state dict by torchvision's names, or by timm's where torchvision has no such
 * network, and the lines of Python that make the network for it. */
#include "backbones/cnn.h"
#include "base/file.h"
#include "base/json.h"
#include "exports/known.h"
#include "exports/pth.h"
#include "formats/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 1 << 16 };

static int known(const hst_model *m, hst_known *k, hst_err *err)
{
    hst_err why = {0};
    int rc = hst_known_torchvision(m, k, &why);
    if (rc != HST_EUNSUP)
        return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
    hst_known_end(k);
    return hst_known_timm(m, k, err);
}

/* ---- its loader ---- */

/* ", width_mult=0.5" */
static void put_args(hst_buf *b, const json_t *args)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(size_t)args, key, v)
    {
        hst_buf_printf(b, ", %s=", key);
        if (json_is_string(v))
            hst_buf_printf(b, "\"%s\"", json_string_value(v));
        else if (json_is_boolean(v))
            hst_buf_puts(b, json_is_true(v) ? "True" : "False");
        else if (json_is_array(v))
            hst_buf_printf(b, "(%d, %d)", (int)json_integer_value(json_array_get(v, 0)),
                           (int)json_integer_value(json_array_get(v, 1)));
        else if (json_is_integer(v))
            hst_buf_printf(b, "%d", (int)json_integer_value(v));
        else
            hst_buf_double(b, json_real_value(v));
    }
}

/* Convolutions that pad as TensorFlow does, which torchvision's do not. */
static const char padding[] =
    "def pad(conv, x):  # as TensorFlow does\n"
    "    h, w = (max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in\n"
    "            zip(x[0].shape[2:], conv.stride, conv.kernel_size))\n"
    "    return torch.nn.functional.pad(x[0], (w // 2, w - w // 2, h // 2, h - h // 2))\n"
    "for m in net.modules():\n"
    "    if isinstance(m, torch.nn.Conv2d) and m.stride[0] > 1:\n"
    "        m.padding = 0\n"
    "        m.register_forward_pre_hook(pad)\n";

/* Of the batch norms of what is written. */
static double epsilon(const hst_known *k, const hst_arch *a)
{
    return k->epsilon != 0 ? k->epsilon : a->cnn.bn_epsilon;
}

static void put_network(hst_buf *b, const hst_known *k, const hst_model *m)
{
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    const int is_torchvision = strcmp(k->library, "torchvision") == 0;
    const int is_vit = strncmp(k->architecture, "VisionT", 7) == 0;
    if (is_torchvision)
        hst_buf_printf(b, "net = torchvision.models.%s(num_classes=len(labels)", k->architecture);
    else
        hst_buf_printf(b, "net = timm.create_model(\"%s\", num_classes=len(labels)",
                       k->architecture);
    put_args(b, k->args);
    hst_buf_puts(b, ")\n");
    if (is_torchvision && strncmp(k->architecture, "mobilenet_v3", 12) == 0)
        hst_buf_printf(b, "net.classifier = torch.nn.Linear(%d, len(labels))\n", m->dim);
    if (is_torchvision && !is_vit && strncmp(k->architecture, "convnext", 8) != 0) {
        hst_buf_puts(b, "for m in net.modules():\n"
                        "    if isinstance(m, torch.nn.BatchNorm2d):\n        m.eps = ");
        hst_buf_double(b, epsilon(k, a));
        hst_buf_puts(b, "\n");
    }
    if (k->pads_as_tf)
        hst_buf_puts(b, padding);
}

static void put_reals(hst_buf *b, const float x[3])
{
    hst_buf_puts(b, "torch.tensor([");
    for (int c = 0; c < 3; c++) {
        char text[32];
        json_t *v = json_real((double)x[c]);
        const size_t n =
            json_dumpb(v, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(8));
        text[n < sizeof text ? n : 0] = 0;
        hst_buf_printf(b, "%s%s", c ? ", " : "", text);
        json_decref(v);
    }
    hst_buf_puts(b, "])");
}

/* The file's name as a Python text. */
static void put_name(hst_buf *b, const char *path)
{
    json_t *name = json_string(hst_path_base(path));
    char *text = json_dumps(name, JSON_ENCODE_ANY);
    hst_buf_puts(b, text ? text : "\"model.pth\"");
    free(text);
    json_decref(name);
}

static char *loader(const hst_exporting *x, hst_err *err)
{
    const hst_prep *p = &hst_model_plain(x->model)->view[0].prep;
    hst_known k = {0};
    hst_buf b = HST_BUF(MOST_TEXT);
    if (known(x->model, &k, err)) {
        hst_known_end(&k);
        return NULL;
    }
    hst_buf_printf(&b, "import json, torch, %s\nstate = torch.load(", k.library);
    put_name(&b, x->path);
    hst_buf_puts(&b, ", weights_only=True)\nlabels = json.loads(state.headstart[\"labels\"])\n");
    put_network(&b, &k, x->model);
    hst_buf_puts(&b, "net.load_state_dict(state)\nnet.eval()\nmean, std = ");
    put_reals(&b, p->norm.mean);
    hst_buf_puts(&b, ", ");
    put_reals(&b, p->norm.std);
    hst_buf_printf(&b,
                   "\ndef predict(rgb):  # [photos][%d][%d][3], 0 to 255 -> [photos][labels]\n"
                   "    with torch.no_grad():\n"
                   "        return net(((rgb - mean) / std).permute(0, 3, 1, 2))%s\n",
                   p->size.height, p->size.width,
                   x->model->target == HST_TARGET_CLASS    ? ".softmax(1)"
                   : x->model->target == HST_TARGET_LABELS ? ".sigmoid()"
                                                           : "");
    hst_known_end(&k);
    if (hst_buf_check(&b, err) == 0)
        return b.p;
    hst_buf_free(&b);
    return NULL;
}

/* What the tensors do not say, as timm's config.json says it. */
static char *config(const hst_known *k, const hst_model *m, hst_err *err)
{
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    json_t *o = hst_known_timm_config(k, m), *args = json_copy(json_object_get(o, "model_args"));
    json_object_set_new(o, "model_args", args);
    if (hst_family_find(a->family)->kind == &hst_cnn) {
        json_object_set_new(args, "pad_type",
                            json_string(a->cnn.padding == HST_PAD_TF ? "same" : ""));
        json_object_set_new(args, "bn_eps", json_real(epsilon(k, a)));
    }
    return hst_json_dump(o, err);
}

/* ---- the file ---- */

static int write(const hst_exporting *x, hst_err *err)
{
    const hst_about *a = x->about;
    hst_known k = {0};
    hst_named list = {0};
    int rc = known(x->model, &k, err);
    rc = rc ? rc : hst_known_tensors(&k, x->model, &list, err);
    char *code = rc ? NULL : loader(x, err);
    char *text = code ? config(&k, x->model, err) : NULL;
    char *aside = text ? hst_path_join(x->work, "loader.py", err) : NULL; /* for the script below */
    const hst_meta_pair about[] = {
        {"labels", a->labels},  {"preprocess", a->preprocess},    {"card", a->card},
        {"library", k.library}, {"architecture", k.architecture}, {"config", text},
        {"loader", code}};
    rc = aside ? hst_file_write(aside, code, strlen(code), err) : rc ? rc : HST_EMEM;
    rc = rc ? rc
            : hst_pth_write(x->path, list.tensor, list.n, about, sizeof about / sizeof *about, err);
    free(aside);
    free(text);
    free(code);
    hst_named_free(&list);
    hst_known_end(&k);
    return rc;
}

static int ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    hst_known k = {0};
    hst_err why = {0};
    if (hst_convert_ready(x->ctx, &why) == HST_EPROC) {
        snprintf(how, 96, "%s is not there", HST_CONVERT_HELPER);
        return 0;
    }
    char *to = hst_path_join(x->work, "read.safetensors", err);
    int rc = to ? hst_convert(x->ctx, x->path, to, err) : HST_EMEM;
    rc = rc ? rc : known(x->model, &k, err);
    hst_tensors *t = rc ? NULL : hst_tensors_read(to, err);
    rc = t ? hst_known_ask_tensors(&k, x, t, p, err) : rc ? rc : err->code;
    snprintf(how, 96, "read back");
    hst_tensors_free(t);
    hst_known_end(&k);
    free(to);
    return rc;
}

static const char script[] =
    "import os, re, numpy\n"
    "sys.argv[1:4] = map(os.path.abspath, sys.argv[1:4])\n"
    "code = open(os.path.join(os.path.dirname(sys.argv[2]), 'loader.py')).read()\n"
    "os.chdir(os.path.dirname(sys.argv[1]))\n"
    "exec(code)\n"
    "h, w = map(int, re.search(r'photos\\]\\[(\\d+)\\]\\[(\\d+)', code).groups())\n"
    "x = torch.from_numpy(numpy.load(sys.argv[2])).reshape(-1, h, w, 3)\n"
    "predict(x).numpy().astype('<f4').tofile(sys.argv[3])\n"
    "print('torch', torch.__version__)\n";

const hst_exporter hst_exporter_torch = {.name = "torch",
                                         .suffix = ".pth",
                                         .summary = "PyTorch: a state dict (torchvision, timm)",
                                         .by_names = 1,
                                         .tolerance = 1e-4,
                                         .usual = {.nchw = 1},
                                         .can = {.batch = 1},
                                         .write = write,
                                         .ask = ask,
                                         .module = "torch",
                                         .script = script,
                                         .loader = loader};
