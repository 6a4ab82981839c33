/* keras.c - model.keras: a zip archive of a functional model's configuration, its variables in
 * HDF5, and what Keras does not ask for: labels, preparation, model card. */
#include "exports/keras.h"
#include "exports/zip.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* The release of Keras whose configuration this is the form of; later ones read it. */
#define VERSION "3.5.0"

static void end(hst_keras *k)
{
    json_decref(k->layers);
    json_decref(k->counts);
    json_decref(k->names);
    hst_h5_free(&k->weights);
    hst_arena_free(k->arena);
    free(k->value);
    free(k->made);
}

/* config.json; takes the layers. To be freed. */
static char *config(hst_keras *k, hst_err *err)
{
    const char *first = k->value[0].layer, *last = k->value[k->n - 1].layer;
    json_t *model =
        json_pack("{s:s, s:b, s:O, s:[sii], s:[sii]}", "name",
                  hst_model_plain(k->x->model)->backbone->arch.family, "trainable", 1, "layers",
                  k->layers, "input_layers", first, 0, 0, "output_layers", last, 0, 0);
    json_t *all =
        json_pack("{s:s, s:s, s:o, s:s}", "module", "keras.src.models.functional", "class_name",
                  "Functional", "config", model, "registered_name", "Functional");
    char *text = hst_json_write(all, JSON_COMPACT | JSON_REAL_PRECISION(9), err);
    json_decref(all);
    return text;
}

static int add_text(hst_zip *z, const char *name, const char *text, hst_err *err)
{
    return hst_zip_add(z, name, &(hst_piece){text, strlen(text)}, 1, err);
}

static int add_weights(hst_zip *z, hst_keras *k, hst_err *err)
{
    enum { MOST_HEAD = 1 << 26 };
    const hst_h5 *h = &k->weights;
    hst_buf head = HST_BUF(MOST_HEAD);
    hst_piece *piece = hst_alloc(h->n + 1, sizeof *piece, err);
    size_t n = 1;
    int rc = piece ? hst_h5_head(&k->weights, &head, err) : HST_EMEM;
    if (rc == 0)
        piece[0] = (hst_piece){head.p, head.n};
    for (size_t i = 0; rc == 0 && i < h->n; i++)
        if (h->object[i].p)
            piece[n++] = (hst_piece){h->object[i].p, sizeof(float) * hst_h5_count(&h->object[i])};
    rc = rc ? rc : hst_zip_add(z, "model.weights.h5", piece, n, err);
    free(piece);
    hst_buf_free(&head);
    return rc;
}

static int write_archive(hst_keras *k, const char *text, hst_err *err)
{
    const hst_exporting *x = k->x;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"metadata.json",
         "{\"keras_version\": \"" VERSION "\", \"date_saved\": \"1980-01-01@00:00:00\"}"},
        {"config.json", text},
        {"labels.txt", x->about->lines},
        {"preprocess.json", x->about->preprocess},
        {"README.md", x->about->card},
        {"headstart.json", x->about->model},
    };
    hst_zip z;
    int rc = hst_zip_begin(&z, x->path, 0, err);
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof *texts; i++)
        rc = add_text(&z, texts[i].name, texts[i].text, err);
    rc = rc ? rc : add_weights(&z, k, err);
    rc = rc ? rc : hst_zip_commit(&z, err);
    hst_zip_end(&z);
    return rc;
}

static int write(const hst_exporting *x, hst_err *err)
{
    hst_keras k = {.x = x,
                   .layers = json_array(),
                   .counts = json_object(),
                   .names = json_object(),
                   .tokens = -1,
                   .err = err};
    k.arena = hst_arena_new(err);
    k.made = k.arena ? hst_alloc((size_t)x->program->n, sizeof *k.made, err) : NULL;
    int rc = k.made ? hst_keras_steps(&k) : HST_EMEM;
    rc = rc ? rc : hst_keras_order(&k);
    char *text = rc ? NULL : config(&k, err);
    if (rc == 0)
        rc = text ? write_archive(&k, text, err) : HST_EMEM;
    free(text);
    end(&k);
    return rc;
}

static const char script[] = "import os, numpy\n"
                             "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
                             "import keras\n"
                             "net = keras.saving.load_model(sys.argv[1])\n"
                             "x = numpy.load(sys.argv[2]).reshape(-1, *net.input_shape[1:])\n"
                             "n = net.input_shape[0] or len(x)\n"
                             "y = numpy.concatenate([keras.ops.convert_to_numpy(net(x[i:i + "
                             "n].astype(net.inputs[0].dtype)))\n"
                             "    for i in range(0, len(x), n)])\n"
                             "y.astype('<f4').tofile(sys.argv[3])\n"
                             "print('Keras', keras.__version__)\n";

const hst_exporter hst_exporter_keras = {.name = "keras",
                                         .suffix = ".keras",
                                         .summary = "Keras 3 (a model to learn on)",
                                         .keeps_norms = 1,
                                         .tolerance = 1e-4,
                                         .can = {.uint8 = 1, .logits = 1, .batch = 1},
                                         .write = write,
                                         .ask = hst_ask_read_back,
                                         .module = "keras",
                                         .script = script};
