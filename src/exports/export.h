/* export.h - a model as a file or folder of another program's format.
 *
 * hst_export() lowers the model to a program (program.h), has the format write it into a folder of
 * its own, checks what was written, and only then moves it to where it was asked for.
 *
 * A format is one file, which defines its hst_exporter, and a row in formats.c. It has:
 *   onnx, tflite, savedmodel, tfjs, c    x->program: the network as steps
 *   keras                                the same with its batch norms, to learn on
 *   torch, hf, timm                      x->model: its graph by the names of a dialect
 *   all of them                          x->about: labels, preparation, model card as texts */
#ifndef HST_EXPORTS_EXPORT_H
#define HST_EXPORTS_EXPORT_H
#include "base/buf.h"
#include "exports/program.h"
#include "model/model.h"

/* What a format says of the model in words; UTF-8, no date, the same for the same model. */
typedef struct hst_about {
    char *labels;     /* JSON: ["daisy", "rose"] */
    char *lines;      /* daisy, rose, a line each */
    char *names;      /* {0: 'daisy', 1: 'rose'}: as Ultralytics' exports have it */
    char *preprocess; /* JSON: how a photo becomes the input (docs/deploy.md) */
    char *card;       /* Markdown: what the model is, how good, from what */
    char *model;      /* JSON: what makes it a model again when it is read back */
} hst_about;

/* What its ends are like. */
typedef struct hst_ends {
    int uint8;  /* the input: 1: uint8, 0: float32; 0..255 either way */
    int nchw;   /* the input: 1: [batch][3][height][width], 0: [batch][height][width][3] */
    int logits; /* the output: 1: as the head makes it, 0: probabilities */
    int batch;  /* 0: any */
    int int8;   /* input and output: 1: int8, the input -128..127; of whole numbers throughout */
} hst_ends;

/* What its weights are kept in; activations are float32 anyway, but where 8 bits meet 8 bits. */
enum hst_weights { HST_WEIGHTS_FLOAT32, HST_WEIGHTS_FLOAT16, HST_WEIGHTS_INT8 };
extern const char *const hst_weights_names[]; /* NULL ends them */

/* What a step's value lies between, and what is before its activation; of the value's channels the
 * means and the largest numbers. */
typedef struct hst_step_range {
    hst_range value, bare; /* least >= most: not known */
    float *mean, *most;    /* [channels]; NULL: not known */
} hst_step_range;

typedef struct hst_exporting {
    const hst_ctx *ctx;
    const hst_model *model;
    const hst_program *program;
    const hst_about *about;
    hst_ends ends;
    enum hst_weights weights;
    const hst_step_range *range; /* [steps] over photos; NULL: not known */
    double tolerance;            /* of probabilities, beyond which nothing is kept */
    double max_drop;             /* of accuracy in points, likewise */
    const char *path;            /* to be written: a file, or a folder that is there and empty */
    const char *work;            /* a folder for what a check needs; it goes at the end */
} hst_exporting;

/* Pictures to ask a model about, and the answers. */
typedef struct hst_probes {
    int n, height, width, classes;
    uint8_t *picture; /* [n][height][width][3] */
    float *answer;    /* [n][classes] of the model: probabilities, or logits */
    float *found;     /* [n][classes] of what was written */
} hst_probes;

/* What answers pictures: a network, how its pixels are scaled, and the head behind it. */
typedef struct hst_answering {
    const hst_graph *graph;
    hst_pixel_norm norm;
    const hst_model *head; /* of which only the head counts */
} hst_answering;

typedef struct hst_exporter {
    const char *name;    /* "onnx" */
    const char *suffix;  /* behind the model's name where no path is given: ".onnx", "-c" */
    const char *summary; /* what reads it */
    int is_folder;
    int by_names;     /* 1: x->program is NULL */
    int keeps_norms;  /* 1: x->program has batch norms as they were learned */
    double tolerance; /* of probabilities, with weights in float32 */
    unsigned weights; /* bits 1 << hst_weights: other ones that it can have */
    int calibrates;   /* 1: with photos its int8 is made by x->range */
    int needs_ranges; /* 1: and computes in whole numbers, which cannot be without */
    hst_ends usual;   /* unless the caller says otherwise */
    hst_ends can;     /* 1: the caller may say otherwise; of batch: may leave it open */
    int (*write)(const hst_exporting *x, hst_err *err);
    /* Fills p->found by our own code from what was written, and says how in *how. 1: done; 0: it
     * cannot be told here, *how says why; or an error. Where a picture takes long it may ask about
     * fewer: p->n. p->answer may still be on its way. */
    int (*ask)(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err);
    /* For --check: a Python module ("a or b": either), and a program that is given the path of the
     * export, of a .npy of the pictures [n][height][width][3] as float32 and of a file to write the
     * answers to, as float32. Its last line is the name and version of what answered. NULL: there
     * is none. */
    const char *module, *script;
    /* For --check, where the runtime is none of Python's: as `ask`. NULL: see script. */
    int (*run)(const hst_exporting *x, hst_probes *p, char who[96], hst_err *err);
    /* Lines of Python that load it, to be freed. NULL: there is no need for them. */
    char *(*loader)(const hst_exporting *x, hst_err *err);
} hst_exporter;

extern const hst_exporter *const hst_exporters[]; /* NULL ends them */
extern const hst_exporter hst_exporter_c, hst_exporter_hf, hst_exporter_keras, hst_exporter_onnx;
extern const hst_exporter hst_exporter_savedmodel, hst_exporter_tfjs;
extern const hst_exporter hst_exporter_tflite, hst_exporter_timm, hst_exporter_torch;

/* HST_EUNSUP: the model is not one network that sees a photo in one way. (assemble.c) */
HST_CHECK int hst_export_only_branch(const hst_model *m, hst_err *err);
/* The program of a model. HST_EUNSUP: what cannot be exported. (assemble.c) */
HST_CHECK int hst_export_program(const hst_model *m, const hst_ends *ends, hst_program *out,
                                 hst_err *err);

/* Fills *out; ended by hst_about_free, also after a failure. (about.c) */
HST_CHECK int hst_about_make(const hst_model *m, const hst_ends *ends, hst_about *out,
                             hst_err *err);
void hst_about_free(hst_about *a);

/* Made-up pictures, or photos (from, or NULL; kept until it is freed), and the model's answers,
 * which are computed in the background while the export is written. NULL: an error. (check.c) */
struct hst_export_photos;
typedef struct hst_expected hst_expected;
HST_CHECK hst_expected *hst_export_expect(const hst_exporting *x,
                                          const struct hst_export_photos *from, hst_err *err);
void hst_expected_free(hst_expected *e); /* NULL: nothing */
/* Asks what was written about the same, and fills *out. HST_EMODEL: its answers are further from
 * the model's than the format's tolerance; HST_EUNSUP: fewer of them are right. runtime: asks that
 * too. */
HST_CHECK int hst_export_check(const hst_exporting *x, const hst_exporter *f, hst_expected *e,
                               int runtime, hst_exported *out, hst_err *err);
/* out[n][classes]: answers to p's pictures, as the export gives them (logits or probabilities). */
HST_CHECK int hst_export_answers(const hst_exporting *x, const hst_answering *of,
                                 const hst_probes *p, float *out, hst_err *err);
/* hst_exporter.ask of formats that our import helper reads as a model. */
int hst_ask_read_back(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err);
#endif
