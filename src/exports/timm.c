/* timm.c - a folder that timm.create_model("local-dir:FOLDER", pretrained=True) loads. */
#include "exports/known.h"

static int write(const hst_exporting *x, hst_err *err)
{
    hst_known k = {0};
    int rc = hst_known_timm(x->model, &k, err);
    rc = rc ? rc : hst_known_write(&k, x, err);
    rc = rc ? rc : hst_known_write_json(x, "config.json", hst_known_timm_config(&k, x->model), err);
    rc = rc ? rc
            : hst_known_write_card(
                  x, &k, "- timm\n",
                  "import timm\n"
                  "net = timm.create_model(\"local-dir:FOLDER\", pretrained=True).eval()\n"
                  "prepare = timm.data.create_transform(**timm.data.resolve_data_config("
                  "net.pretrained_cfg))\n"
                  "logits = net(prepare(photo)[None])  # of net.pretrained_cfg[\"label_names\"]\n",
                  err);
    hst_known_end(&k);
    return rc;
}

static int ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    return hst_known_ask(hst_known_timm, x, p, how, err);
}

static const char script[] =
    "import json, os, numpy, timm, torch\n"
    "net = timm.create_model('local-dir:' + sys.argv[1], pretrained=True).eval()\n"
    "c = net.pretrained_cfg\n"
    "x = torch.from_numpy(numpy.load(sys.argv[2])).reshape(-1, *c['input_size'][1:], 3)\n"
    "x = (x / 255 - torch.tensor(c['mean'])) / torch.tensor(c['std'])\n"
    "with torch.no_grad():\n"
    "    y = net(x.permute(0, 3, 1, 2).float())\n"
    "kind = json.load(open(os.path.join(sys.argv[1], 'config.json')))['problem_type']\n"
    "y = y.softmax(1) if kind[0] == 's' else y.sigmoid() if kind[0] == 'm' else y\n"
    "y.numpy().astype('<f4').tofile(sys.argv[3])\n"
    "print('timm', timm.__version__)\n";

const hst_exporter hst_exporter_timm = {.name = "timm",
                                        .suffix = "-timm",
                                        .summary = "PyTorch Image Models (a folder)",
                                        .is_folder = 1,
                                        .by_names = 1,
                                        .tolerance = 1e-4,
                                        .usual = {.nchw = 1},
                                        .can = {.batch = 1},
                                        .write = write,
                                        .ask = ask,
                                        .module = "timm",
                                        .script = script};
