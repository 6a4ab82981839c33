/* labels.h - names of classes as programs write them into files: a line each, JSON, or what Python
 * prints of a dictionary. */
#ifndef HST_FORMATS_LABELS_H
#define HST_FORMATS_LABELS_H
#include "base/json.h"

/* The names in text[n] by number, a list of texts to be ended by json_decref():
 *
 *   daisy\nroses\n            a line each; "0 daisy\n1 roses\n" is the same
 *   ["daisy", "roses"]        also under "labels", "names", "class_names", "id2label" or
 *                             "label_names" of an object
 *   {"0": "daisy", ...}       or {"daisy": 0, ...}, each number once, from 0
 *   {0: 'daisy', 1: "roses"}  as Python prints it
 *
 * what: the file's name in messages. NULL: HST_EMODEL, HST_EMEM. */
HST_CHECK json_t *hst_labels_parse(const char *text, size_t n, const char *what, hst_err *err);
/* The same of a JSON value. */
HST_CHECK json_t *hst_labels_of(const json_t *value, const char *what, hst_err *err);

/* Names of files that hold them, most likely ones first, NULL behind; they lie beside a model. The
 * last may hold something else. */
extern const char *const hst_labels_files[];
enum { HST_LABELS_MOST_BYTES = 4 << 20 };
#endif
