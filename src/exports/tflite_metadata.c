/* tflite_metadata.c - what a TFLite file says of its ends to MediaPipe, ML Kit and Android Studio:
 * metadata_schema.fbs of TFLite Support, and the labels as a file in a zip archive behind the
 * model. Field numbers are the schema's. */
#include "exports/tflite.h"
#include "exports/zip.h"

#include <string.h>
#include <zlib.h>

enum {
    MODEL_NAME = 0,
    MODEL_DESCRIPTION = 1,
    MODEL_SUBGRAPHS = 3,
    MODEL_AUTHOR = 4,
    MODEL_LICENCE = 5,
    MODEL_PARSER = 7,
    GRAPH_INPUTS = 2,
    GRAPH_OUTPUTS = 3,
    TENSOR_NAME = 0,
    TENSOR_DESCRIPTION = 1,
    TENSOR_CONTENT = 3,
    TENSOR_UNITS = 4,
    TENSOR_STATS = 5,
    TENSOR_FILES = 6,
    UNION_TYPE = 0,
    UNION_VALUE = 1,
    FEATURES = 1,
    IMAGE = 2,
    NORMALIZATION = 1,
    IMAGE_COLORS = 0,
    IMAGE_SIZE = 1,
    RGB = 1,
    STATS_MAX = 0,
    STATS_MIN = 1,
    FILE_NAME = 0,
    FILE_DESCRIPTION = 1,
    FILE_TYPE = 2,
    AXIS_LABELS = 2
};

static void one_float(hst_fb *b, size_t ref, float v)
{
    hst_fb_vector(b, ref, &v, 1, sizeof v, 4);
}

/* The largest and the smallest number that there is. */
static void stats(hst_fb *b, size_t ref, float most, float least)
{
    size_t r[2];
    HST_FB_TABLE(b, ref, r, hst_fb_ref(STATS_MAX), hst_fb_ref(STATS_MIN));
    one_float(b, r[0], most);
    one_float(b, r[1], least);
}

/* The network scales pixels itself: whoever feeds it is told to take 0 from them and to divide by
 * 1. */
static void no_scaling(hst_fb *b, size_t ref)
{
    size_t r[2];
    HST_FB_TABLE(b, hst_fb_refs(b, ref, 1), r, hst_fb_byte(UNION_TYPE, NORMALIZATION),
                 hst_fb_ref(UNION_VALUE));
    HST_FB_TABLE(b, r[1], r, hst_fb_ref(0), hst_fb_ref(1));
    one_float(b, r[0], 0);
    one_float(b, r[1], 1);
}

static void input(hst_fb *b, size_t ref, const hst_exporting *x)
{
    const hst_do_step *in = &x->program->step[0];
    size_t r[5], content[2];
    HST_FB_TABLE(b, ref, r, hst_fb_ref(TENSOR_NAME), hst_fb_ref(TENSOR_DESCRIPTION),
                 hst_fb_ref(TENSOR_CONTENT), hst_fb_ref(TENSOR_UNITS), hst_fb_ref(TENSOR_STATS));
    hst_fb_text(b, r[0], "image");
    hst_fb_text(b, r[1], x->about->preprocess);
    HST_FB_TABLE(b, r[2], content, hst_fb_byte(UNION_TYPE, IMAGE), hst_fb_ref(UNION_VALUE));
    HST_FB_TABLE(b, content[1], content, hst_fb_byte(IMAGE_COLORS, RGB), hst_fb_ref(IMAGE_SIZE));
    HST_FB_TABLE(b, content[1], content, hst_fb_int(0, in->dim[1]), hst_fb_int(1, in->dim[0]));
    no_scaling(b, r[3]);
    stats(b, r[4], 255, 0);
}

static void labels(hst_fb *b, size_t ref)
{
    size_t r[3];
    HST_FB_TABLE(b, hst_fb_refs(b, ref, 1), r, hst_fb_ref(FILE_NAME), hst_fb_ref(FILE_DESCRIPTION),
                 hst_fb_byte(FILE_TYPE, AXIS_LABELS));
    hst_fb_text(b, r[0], HST_TFL_LABELS);
    hst_fb_text(b, r[1], "The classes, in the order of the output.");
}

static void output(hst_fb *b, size_t ref, const hst_exporting *x, const char *name)
{
    const hst_fb_field fields[] = {hst_fb_ref(TENSOR_NAME), hst_fb_ref(TENSOR_CONTENT),
                                   hst_fb_ref(TENSOR_FILES), hst_fb_ref(TENSOR_STATS)};
    const int has_labels = x->model->target != HST_TARGET_NUMBER;
    const int are_probabilities = has_labels && !x->ends.logits;
    size_t r[4], content[2];
    hst_fb_table(b, ref, fields, 2 + has_labels + are_probabilities, r);
    hst_fb_text(b, r[0], name);
    HST_FB_TABLE(b, r[1], content, hst_fb_byte(UNION_TYPE, FEATURES), hst_fb_ref(UNION_VALUE));
    hst_fb_table(b, content[1], NULL, 0, NULL);
    if (has_labels)
        labels(b, r[2]);
    if (are_probabilities)
        stats(b, r[3], 1, 0);
}

void hst_tfl_metadata(hst_fb *b, const hst_exporting *x, const char *output_name)
{
    const hst_backbone *of = x->model->extractor->branch[0].backbone;
    size_t r[7], g[2];
    HST_FB_TABLE(b, hst_fb_begin(b, "M001"), r, hst_fb_ref(MODEL_NAME),
                 hst_fb_ref(MODEL_DESCRIPTION), hst_fb_ref(MODEL_SUBGRAPHS),
                 hst_fb_ref(MODEL_AUTHOR), hst_fb_ref(MODEL_LICENCE), hst_fb_ref(MODEL_PARSER));
    hst_fb_text(b, r[0], of->arch.family);
    hst_fb_text(b, r[1], x->about->card);
    HST_FB_TABLE(b, hst_fb_refs(b, r[2], 1), g, hst_fb_ref(GRAPH_INPUTS),
                 hst_fb_ref(GRAPH_OUTPUTS));
    input(b, hst_fb_refs(b, g[0], 1), x);
    output(b, hst_fb_refs(b, g[1], 1), x, output_name);
    hst_fb_text(b, r[3], "headstart");
    hst_fb_text(b, r[4], of->licence ? of->licence : "");
    hst_fb_text(b, r[5], "1.0.0");
}

/* ---- the archive ---- */

void hst_tfl_zip(hst_buf *b, size_t before, const char *name, const char *text)
{
    const size_t n = strlen(text), first = b->n;
    const hst_zip_member m = {name, (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const Bytef *)text, n),
                              n};
    hst_zip_front(b, &m, NULL);
    hst_buf_puts(b, text);
    const size_t directory = b->n;
    hst_zip_entry(b, &m, before);
    hst_zip_back(b, 1, b->n - directory, before + directory - first);
}
