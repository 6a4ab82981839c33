/* known_write.c - the files of a folder that a Python library loads. */
#include "exports/known.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 1 << 26 };

static int write_file(const hst_exporting *x, const char *file, const void *p, size_t n,
                      hst_err *err)
{
    char *path = hst_path_join(x->path, file, err);
    const int rc = path ? hst_file_write(path, p, n, err) : HST_EMEM;
    free(path);
    return rc;
}

int hst_known_write_json(const hst_exporting *x, const char *file, json_t *o, hst_err *err)
{
    char *text = hst_json_write(o, JSON_INDENT(2) | JSON_REAL_PRECISION(10), err);
    const int rc = text ? write_file(x, file, text, strlen(text), err) : HST_EMEM;
    free(text);
    json_decref(o);
    return rc;
}

/* Its metadata says what transformers asks for. */
int hst_known_write(const hst_known *k, const hst_exporting *x, hst_err *err)
{
    static const hst_meta_pair torch = {"format", "pt"};
    hst_named list = {0};
    char *path = hst_path_join(x->path, "model.safetensors", err);
    int rc = path ? hst_known_tensors(k, x->model, &list, err) : HST_EMEM;
    rc = rc ? rc : hst_tensors_write(path, list.tensor, list.n, &torch, 1, err);
    hst_named_free(&list);
    free(path);
    return rc;
}

/* ---- README.md ---- */

/* What the library's own preparation does otherwise. */
static void put_differences(hst_buf *b, const hst_prep *p, int has_processor)
{
    if (p->geometry == HST_PAD)
        hst_buf_puts(b, has_processor
                            ? "- The model was trained on photos laid on a plain ground; the image "
                              "processor knows no ground and squashes them: lay them yourself.\n"
                            : "- The ground that photos are laid on may differ by a pixel.\n");
    if (p->geometry == HST_CROP_HF && !has_processor)
        hst_buf_puts(b, "- The corner of what is cut out may differ by half a pixel.\n");
    if (p->geometry == HST_CROP_TORCHVISION && has_processor)
        hst_buf_puts(b, "- The corner of what is cut out may differ by half a pixel.\n");
    if (p->resampler == HST_RESAMPLE_TF)
        hst_buf_puts(b, "- The model was trained on photos resized by tf.image.resize, which does "
                        "not smooth; here they are resized as Pillow does.\n");
}

static void put_preparation(hst_buf *b, const hst_exporting *x, const hst_known *k)
{
    const hst_prep *p = &hst_model_plain(x->model)->view[0].prep;
    char size[HST_SIZE_TEXT], resize[HST_SIZE_TEXT];
    hst_buf_printf(b, "## Preparation\n\n- geometry: %s, %s pixels, %s\n",
                   hst_geometry_name(p->geometry), hst_size_text(p->size, size),
                   hst_interpolation_name(p->interpolation));
    if (hst_prep_crops(p))
        hst_buf_printf(b, "- resized to cover %s pixels first\n", hst_size_text(p->resize, resize));
    hst_buf_puts(b, "- then (x - mean) / std, with x, mean and std of red, green and blue in 0..1 "
                    "as the files beside this one say\n");
    put_differences(b, p, k->processor != NULL);
}

int hst_known_write_card(const hst_exporting *x, const hst_known *k, const char *tags,
                         const char *code, hst_err *err)
{
    hst_buf b = HST_BUF(MOST_TEXT);
    hst_buf_printf(&b,
                   "---\nlibrary_name: %s\npipeline_tag: image-classification\ntags:\n"
                   "- image-classification\n%s---\n\n%s",
                   k->processor ? "transformers" : "timm", tags, x->about->card);
    hst_buf_printf(&b, "## Use\n\n```python\n%s```\n\n", code);
    put_preparation(&b, x, k);
    if (k->features == HST_KNOWN_SHIFTED)
        hst_buf_puts(&b, "\nThe layer in front of the classifier, which the model does without, is "
                         "set to change nothing.\n");
    int rc = hst_buf_check(&b, err);
    rc = rc ? rc : write_file(x, "README.md", b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}
