/* hf.c - a folder that transformers.AutoModelForImageClassification.from_pretrained() loads. */
#include "exports/known.h"

static int write_config(const hst_exporting *x, const hst_known *k, hst_err *err)
{
    if (k->processor) {
        const int rc = hst_known_write_json(x, "config.json", json_incref(k->args), err);
        return rc ? rc
                  : hst_known_write_json(x, "preprocessor_config.json", json_incref(k->processor),
                                         err);
    }
    json_t *o = hst_known_timm_config(k, x->model);
    if (o && (json_object_set_new(o, "model_type", json_string("timm_wrapper")) ||
              json_object_set_new(o, "architectures",
                                  json_pack("[s]", "TimmWrapperForImageClassification")))) {
        json_decref(o);
        o = NULL;
    }
    return hst_known_write_json(x, "config.json", o, err);
}

/* By itself transformers 5 resizes with torchvision, which rounds some values to their neighbours;
 * timm's networks it prepares as timm does. */
static const char use[] =
    "from transformers import AutoImageProcessor, pipeline\n"
    "prepare = AutoImageProcessor.from_pretrained(\"FOLDER\", backend=\"pil\")\n"
    "classify = pipeline(\"image-classification\", model=\"FOLDER\", image_processor=prepare)\n"
    "classify(\"photo.jpg\")\n";
static const char use_timm[] = "from transformers import pipeline\n"
                               "classify = pipeline(\"image-classification\", model=\"FOLDER\")\n"
                               "classify(\"photo.jpg\")\n";

static int write(const hst_exporting *x, hst_err *err)
{
    hst_known k = {0};
    int rc = hst_known_transformers(x->model, &k, err);
    rc = rc ? rc : hst_known_write(&k, x, err);
    rc = rc ? rc : write_config(x, &k, err);
    rc = rc ? rc
            : hst_known_write_card(x, &k, k.processor ? "" : "- timm\n",
                                   k.processor ? use : use_timm, err);
    hst_known_end(&k);
    return rc;
}

static int ask(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    return hst_known_ask(hst_known_transformers, x, p, how, err);
}

static const char script[] =
    "import os\n"
    "os.environ['HF_HUB_OFFLINE'] = '1'\n"
    "import json, numpy, torch, transformers\n"
    "net = transformers.AutoModelForImageClassification.from_pretrained(sys.argv[1]).eval()\n"
    "p = os.path.join(sys.argv[1], 'preprocessor_config.json')\n"
    "if os.path.exists(p):\n"
    "    p = json.load(open(p))\n"
    "    s = p['crop_size'] if p['do_center_crop'] else p['size']\n"
    "    size, mean, std = (s['height'], s['width']), p['image_mean'], p['image_std']\n"
    "else:\n"
    "    p = net.config.pretrained_cfg\n"
    "    size, mean, std = p['input_size'][1:], p['mean'], p['std']\n"
    "x = torch.from_numpy(numpy.load(sys.argv[2])).reshape(-1, *size, 3)\n"
    "x = (x / 255 - torch.tensor(mean)) / torch.tensor(std)\n"
    "with torch.no_grad():\n"
    "    y = net(pixel_values=x.permute(0, 3, 1, 2).float()).logits\n"
    "kind = net.config.problem_type\n"
    "y = y.softmax(1) if kind[0] == 's' else y.sigmoid() if kind[0] == 'm' else y\n"
    "y.numpy().astype('<f4').tofile(sys.argv[3])\n"
    "print('transformers', transformers.__version__)\n";

const hst_exporter hst_exporter_hf = {.name = "hf",
                                      .suffix = "-hf",
                                      .summary = "Hugging Face transformers (a folder)",
                                      .is_folder = 1,
                                      .by_names = 1,
                                      .tolerance = 1e-4,
                                      .usual = {.nchw = 1},
                                      .can = {.batch = 1},
                                      .write = write,
                                      .ask = ask,
                                      .module = "transformers",
                                      .script = script};
