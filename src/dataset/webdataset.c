#include "dataset/webdataset.h"

#include "archives/archives.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "dataset/shards.h"
#include "images/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABEL_BYTES = 1 << 20, MAX_NAMES_BYTES = 64 << 20, MAX_CLASS = 1000000 };

/* ---- samples ---- */

/* Bytes of the name up to the first dot behind its last slash. */
static size_t key_bytes(const char *name)
{
    return (size_t)(hst_path_base(name) - name) + strcspn(hst_path_base(name), ".");
}

/* The members [first, end) that share their key with the first. */
static size_t end_of_sample(const hst_member *m, size_t n, size_t first)
{
    const size_t key = key_bytes(m[first].name);
    size_t end = first + 1;
    while (end < n && key_bytes(m[end].name) == key && memcmp(m[end].name, m[first].name, key) == 0)
        end++;
    return end;
}

/* One sample's members; NULL: it has none such. */
typedef struct sample {
    const hst_member *photo, *cls, *json;
} sample;

static sample sample_of(const hst_member *m, size_t first, size_t end)
{
    sample s = {0};
    for (size_t i = first; i < end; i++) {
        const char *ending = m[i].name + key_bytes(m[i].name);
        if (m[i].is_folder)
            continue;
        if (strcmp(ending, ".cls") == 0)
            s.cls = &m[i];
        else if (strcmp(ending, ".json") == 0)
            s.json = &m[i];
        else if (!s.photo && hst_format_of_name(m[i].name) != HST_FORMAT_UNKNOWN)
            s.photo = &m[i];
    }
    return s;
}

/* Whether the first photo of an archive has its class beside it: in a .cls; or, where photos are in
 * no folders, in a .json. */
static int holds_samples(const hst_archive *a)
{
    size_t n;
    const hst_member *m = hst_archive_members(a, &n);
    for (size_t i = 0, end; i < n; i = end) {
        end = end_of_sample(m, n, i);
        const sample s = sample_of(m, i, end);
        if (s.photo)
            return s.cls || (s.json && !strchr(s.photo->name, '/'));
    }
    return 0;
}

int hst_webdataset_is(const hst_ctx *ctx, const char *word)
{
    const hst_archive *a;
    if (!ctx->archives)
        return 0;
    if (hst_shards_of_pattern(word, NULL, NULL) == 1 || hst_shards_of_folder(word, NULL, NULL) == 1)
        return 1;
    return hst_archive_is(word) && hst_archive_open(ctx, word, &a, NULL) == 0 && holds_samples(a);
}

/* ---- labels ---- */

/* What of text[n] is not blank at its ends, kept. */
static const char *trimmed(hst_rows *r, const char *text, size_t n, hst_err *err)
{
    while (n && (uint8_t)text[n - 1] <= ' ')
        n--;
    while (n && (uint8_t)*text <= ' ') {
        text++;
        n--;
    }
    char *p = hst_arena_alloc(r->arena, n + 1, 1, err);
    if (p)
        memcpy(p, text, n);
    return p;
}

/* *label: "" where the object has none. */
static int label_in_json(hst_rows *r, const char *text, size_t n, const char **label, hst_err *err)
{
    static const char *const keys[] = {"label", "class", "cls", "class_name"};
    hst_err bad = {0};
    char number[32];
    json_t *o = hst_json_parse(text, n, "json", &bad);
    *label = "";
    for (size_t i = 0; o && !**label && i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = json_object_get(o, keys[i]);
        if (json_is_integer(v))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        const char *value = json_is_integer(v)  ? number
                            : json_is_string(v) ? json_string_value(v)
                                                : "";
        *label = trimmed(r, value, strlen(value), err);
        if (!*label)
            break;
    }
    json_decref(o);
    return *label ? 0 : HST_EMEM;
}

/* *why: NULL, or what is the matter with it. */
static int read_label(hst_rows *r, const hst_archive *a, const sample *s, const char **label,
                      const char **why, hst_err *err)
{
    const hst_member *m = s->cls ? s->cls : s->json;
    uint8_t *bytes;
    size_t n;
    hst_err bad = {0};
    const hst_member_read how = {.max = MAX_LABEL_BYTES, .code = HST_EDATA};
    *why = "without a class (.cls or .json)";
    *label = "";
    if (!m)
        return 0;
    int rc = hst_archive_read(a, m, &how, &bytes, &n, &bad);
    if (rc) {
        *why = "with a class that cannot be read";
        return rc == HST_EMEM ? hst_fail(err, rc, "%s", bad.msg) : 0;
    }
    if (s->cls)
        *label = trimmed(r, (const char *)bytes, n, err);
    else
        rc = label_in_json(r, (const char *)bytes, n, label, err);
    free(bytes);
    *why = *label && **label && hst_is_utf8(*label) ? NULL : "with a class that cannot be read";
    return *label ? rc : HST_EMEM;
}

/* The number that a label is, or -1. */
static long number_of(const char *label)
{
    char *end;
    if (*label < '0' || *label > '9')
        return -1;
    const long n = strtol(label, &end, 10);
    return *end || n > MAX_CLASS ? -1 : n;
}

/* The lines of classes.txt or labels.txt beside the first shard; *n 0: there is none. */
static int read_names(hst_rows *r, const hst_shards *s, const char ***names, size_t *n,
                      hst_err *err)
{
    static const char *const files[] = {"classes.txt", "labels.txt", "class_names.txt"};
    uint8_t *text = NULL;
    size_t bytes = 0;
    char path[4200];
    *n = 0;
    for (size_t i = 0; !text && i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%.*s%s", (int)s->before, s->path[0], files[i]);
        if (hst_is_file(path) &&
            hst_file_read(path, MAX_NAMES_BYTES, HST_EDATA, &text, &bytes, err)) {
            hst_err_at(err, path);
            return HST_EDATA;
        }
    }
    size_t lines = 0;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n' || i + 1 == bytes;
    *names = hst_arena_alloc(r->arena, lines ? lines : 1, sizeof **names, err);
    int rc = *names ? 0 : HST_EMEM;
    for (size_t at = 0; rc == 0 && at < bytes && *n < lines;) {
        const char *line = (const char *)text + at;
        const char *end = memchr(line, '\n', bytes - at);
        const size_t length = end ? (size_t)(end - line) : bytes - at;
        (*names)[*n] = trimmed(r, line, length, err);
        rc = (*names)[(*n)++] ? 0 : HST_EMEM;
        at += length + 1;
    }
    free(text);
    return rc;
}

/* Numbers become the names in the file, or have as many digits as the largest. */
static int name_classes(hst_rows *r, const hst_shards *s, hst_err *err)
{
    const char **names;
    size_t n;
    long most = 0;
    for (size_t i = 0; i < r->n; i++) {
        const long number = number_of(r->row[i].class_name);
        if (number < 0)
            return 0;
        most = number > most ? number : most;
    }
    int rc = read_names(r, s, &names, &n, err);
    if (rc == 0 && n && (size_t)most >= n)
        return hst_fail(err, HST_EDATA, "%s: class %ld, but names of %zu classes beside the shards",
                        r->data->dir, most, n);
    const int digits = snprintf(NULL, 0, "%ld", most);
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        char text[32];
        const long number = number_of(r->row[i].class_name);
        snprintf(text, sizeof text, "%0*ld", digits, number);
        r->row[i].class_name = n ? names[number] : hst_arena_strdup(r->arena, text, err);
        rc = r->row[i].class_name ? 0 : HST_EMEM;
    }
    return rc;
}

/* ---- shards ---- */

/* By the words that a shard's name begins with, "train-0001.tar", or by its folder's name. */
static enum hst_part part_of(const char *relative)
{
    char name[256];
    const char *base = hst_path_base(relative);
    size_t n = strcspn(base, "0123456789.");
    while (n && (base[n - 1] == '-' || base[n - 1] == '_'))
        n--;
    snprintf(name, sizeof name, "%.*s", (int)n, base);
    const enum hst_part part = hst_part_of(name);
    if (part || base == relative)
        return part;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(relative, "/"), relative);
    return hst_part_of(name);
}

static const char *path_of(hst_rows *r, const char *shard, const hst_member *m, hst_err *err)
{
    const size_t n = strlen(shard) + 1 + strlen(m->name) + 1;
    char *path = hst_arena_text(r->arena, n, err);
    if (path)
        snprintf(path, n, "%s/%s", shard, m->name);
    return path;
}

static int add_sample(hst_rows *r, const hst_archive *a, const sample *s, hst_row *row, size_t skip,
                      hst_err *err)
{
    const char *why;
    const char *path = path_of(r, row->path, s->photo, err);
    if (!path)
        return HST_EMEM;
    int rc = read_label(r, a, s, &row->class_name, &why, err);
    if (rc == 0 && why)
        return hst_rows_leave_out(r, path, HST_LEFT_NO_PHOTO, why, err);
    if (rc)
        return rc;
    return hst_rows_add(r,
                        &(hst_row){.path = path,
                                   .relative = path + skip,
                                   .class_name = row->class_name,
                                   .part = row->part},
                        err);
}

/* A picture beside a sample's photo, as a mask, is told; its labels are no files of their own. */
static int leave_out_others(hst_rows *r, const char *shard, const hst_member *m, size_t n,
                            const sample *s, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const int picture = hst_format_of_name(m[i].name) != HST_FORMAT_UNKNOWN;
        if (m[i].is_folder || &m[i] == s->photo || (s->photo && !picture))
            continue;
        const char *path = path_of(r, shard, &m[i], err);
        rc = path ? hst_rows_leave_out(r, path, HST_LEFT_NO_PHOTO,
                                       s->photo ? "a second picture of one sample"
                                                : "of a sample without a photo",
                                       err)
                  : HST_EMEM;
    }
    return rc;
}

static int read_shard(const hst_ctx *ctx, hst_rows *r, const char *shard, size_t skip, hst_err *err)
{
    const hst_archive *a;
    size_t n;
    int rc = hst_archive_open(ctx, shard, &a, err);
    if (rc)
        return rc;
    const hst_member *m = hst_archive_members(a, &n);
    hst_row row = {.path = shard, .part = part_of(shard + skip)};
    for (size_t i = 0, end; rc == 0 && i < n; i = end) {
        end = end_of_sample(m, n, i);
        const sample s = sample_of(m, i, end);
        if (s.photo)
            rc = add_sample(r, a, &s, &row, skip, err);
        rc = rc ? rc : leave_out_others(r, shard, m + i, end - i, &s, err);
    }
    return rc;
}

static int list_shards(const char *word, hst_shards *s, hst_err *err)
{
    int rc = hst_shards_of_pattern(word, s, err);
    if (rc == 0)
        rc = hst_shards_of_folder(word, s, err);
    if (rc == 0) {
        s->before = (size_t)(hst_path_base(word) - word);
        rc = hst_shards_add(s, word, err);
    }
    return rc < 0 ? rc : 0;
}

/* Parts that the data may be without: where no shard is for training, names say nothing. */
static void check_parts(hst_rows *r)
{
    int trains = 0, validates = 0;
    for (size_t i = 0; i < r->n; i++) {
        trains |= r->row[i].part == HST_PART_TRAIN;
        validates |= r->row[i].part == HST_PART_VAL || r->row[i].part == HST_PART_TEST;
    }
    for (size_t i = 0; (!trains || !validates) && i < r->n; i++)
        r->row[i].part = HST_PART_NONE;
}

int hst_webdataset_read(const hst_ctx *ctx, hst_rows *r, hst_err *err)
{
    hst_shards s = {.arena = r->arena};
    int rc = list_shards(r->data->dir, &s, err);
    hst_meter meter = hst_meter_start(ctx, "looking through shards", s.n);
    for (size_t i = 0; rc == 0 && i < s.n; i++) {
        rc = read_shard(ctx, r, s.path[i], s.before, err);
        rc = rc ? rc : hst_meter_at(&meter, i + 1, err);
    }
    if (rc == 0)
        rc = name_classes(r, &s, err);
    check_parts(r);
    if (rc == 0)
        rc = hst_rows_understood(r, err, "%zu shard%s of a WebDataset with %zu photo%s", s.n,
                                 s.n == 1 ? "" : "s", r->n, r->n == 1 ? "" : "s");
    hst_shards_clear(&s);
    return rc;
}
