#include "formats.h"
#include "base/str.h"
#include "keras.h"
#include "labels.h"
#include "onnx.h"
#include "pth.h"
#include "savedmodel.h"
#include "sharded.h"
#include "tfjs.h"
#include "tflite.h"
#include "unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 64 };

typedef int reader(weights *w, hst_source *s, hst_err *err);

static reader read_zip, read_tar, read_json;

/* Of a file. The first that matches counts. */
static const struct {
    size_t at;
    const char *magic;
    size_t n_magic;
    const char *name; /* where it cannot be read */
    reader *read;     /* NULL: it cannot */
} files[] = {
    {0, "PK\3\4", 4, NULL, read_zip},
    {0, "\x1f\x8b", 2, NULL, read_tar},
    {0, "\x80\2", 2, NULL, pth_read_legacy},
    {0, "\x89HDF\r\n\x1a\n", 8, NULL, keras_read_h5},
    {4, "TFL3", 4, NULL, tflite_read},
    {8, "{\"", 2, "safetensors (name the file .safetensors to use it as it is)", NULL},
    {0, "{", 1, NULL, read_json},
    {0, "\x08", 1, NULL, onnx_read}, /* its first field, a version; it has no mark of its own */
};

/* Of a folder: the file that is at its root. */
static const struct {
    const char *file;
    reader *read;
} folders[] = {
    {"model.weights.h5", keras_read_archive},
    {"saved_model.pb", savedmodel_read},
    {"model.json", tfjs_read},
};

static int read_content(weights *w, hst_source *s, hst_err *err);

/* The one file of a folder that is a model by its name comes to the front. 0: none or several. */
static int find_model(hst_source *s)
{
    static const char *const endings[] = {".h5", ".hdf5", ".keras", ".onnx", ".tflite"};
    size_t at = 0, found = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
            if (hst_ends_with_any_case(s->file[i].name, endings[k])) {
                at = i;
                found++;
            }
    if (found != 1)
        return 0;
    const hst_source_file model = s->file[at];
    s->file[at] = s->file[0];
    s->file[0] = model;
    return 1;
}

/* A folder as an archive holds it, or as it is. */
static int read_folder(weights *w, hst_source *s, hst_err *err)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (hst_source_find(s, folders[i].file) || unpack_enter(s, folders[i].file))
            return folders[i].read(w, s, err);
    if (find_model(s) && w->nested++ < 1) {
        s->is_folder = 0;
        return read_content(w, s, err);
    }
    return hst_fail(err, HST_EMODEL,
                    "holds no weights of a known format (a PyTorch file, a Keras archive, a "
                    "SavedModel or a TensorFlow.js model)");
}

/* The archive's files, until the weights end. */
static int read_archive(weights *w, const hst_source *s, unpacker *unpack, hst_err *err)
{
    hst_source *inside = unpack_begin(w, err);
    int rc = inside ? unpack(&s->file[0], inside, err) : HST_EMEM;
    rc = rc ? rc : labels_say(w, inside, err);
    return rc ? rc : read_folder(w, inside, err);
}

static int read_tar(weights *w, hst_source *s, hst_err *err)
{
    return read_archive(w, s, unpack_tar, err);
}

/* An index of safetensors goes by its name, which Hugging Face's libraries fix; else model.json. */
static int read_json(weights *w, hst_source *s, hst_err *err)
{
    static const char index[] = ".safetensors.index.json";
    return hst_ends_with(s->file[0].name, index) ? sharded_read(w, s, err) : tfjs_read(w, s, err);
}

/* PyTorch's archives hold a pickle; they are read without being unpacked first. */
static int read_zip(weights *w, hst_source *s, hst_err *err)
{
    int torch = 0;
    int rc = pth_is_zip(&s->file[0], &torch, err);
    if (rc || torch)
        return rc ? rc : pth_read_zip(w, s, err);
    return read_archive(w, s, unpack_zip, err);
}

/* The first bytes, and zeros where the file is shorter. */
static int read_head(const hst_source_file *f, char head[HEAD_BYTES], hst_err *err)
{
    size_t n = f->n_bytes < HEAD_BYTES ? (size_t)f->n_bytes : HEAD_BYTES;
    memset(head, 0, HEAD_BYTES);
    if (f->data)
        memcpy(head, f->data, n);
    else if (pread(f->fd, head, n, 0) < 0)
        return hst_fail_errno(err, HST_EIO, errno, "cannot be read");
    return 0;
}

static int read_content(weights *w, hst_source *s, hst_err *err)
{
    char head[HEAD_BYTES];
    int rc = s->is_folder ? read_folder(w, s, err) : read_head(&s->file[0], head, err);
    if (rc || s->is_folder)
        return rc;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (memcmp(head + files[i].at, files[i].magic, files[i].n_magic) != 0)
            continue;
        if (files[i].read)
            return files[i].read(w, s, err);
        return hst_fail(err, HST_EMODEL, "is %s, which cannot be imported", files[i].name);
    }
    return hst_fail(err, HST_EMODEL,
                    "is no weight file of a known format (Keras, PyTorch, ONNX, TFLite, a "
                    "SavedModel or TensorFlow.js)");
}

int formats_read(weights *w, hst_source *s, hst_err *err)
{
    int rc = labels_say(w, s, err);
    return rc ? rc : read_content(w, s, err);
}
