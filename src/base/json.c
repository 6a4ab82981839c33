/* json.c - reading: jansson's lexer keeps the token it reads in a buffer that grows, and does not
 * look whether growing failed: letters are then lost, and an escape that was cut fails an
 * assertion. The text is therefore read as the second value of a list,
 *
 *   ["xxxx...x", TEXT]
 *
 * whose first string is as long as any token of TEXT. Its buffer has then grown all it ever will,
 * and a letter lost on the way shows as a string too short. The quote that ends it must not be lost
 * either: the buffer doubles from 16 bytes, so that it grows for the 2^k-th byte of a token, which
 * that quote never is; and whether there is memory for all of it is tried before.
 *
 * Writing: json_dumps() leaves out a key for which there was no memory. json_dumpb() into a block
 * that is large enough needs none for them. */
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct feed {
    const char *text;
    size_t n;
    size_t room; /* letters of the first string */
    size_t at;   /* of all that is fed */
} feed;

static const char open_list[] = "[\"", between[] = "\",", close_list[] = "]";
enum { OPEN = sizeof open_list - 1, BETWEEN = sizeof between - 1, CLOSE = sizeof close_list - 1 };

/* A bound on the length of a token: no quote but an escaped one is inside a string. */
static size_t longest_token(const char *text, size_t n)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < n; i++) {
        run = text[i] == '"' && (i == 0 || text[i - 1] != '\\') ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* Copies what of part[n], which begins at byte `from` of the whole, falls into out[cap]. NULL: a
 * run of 'x'. */
static size_t piece(feed *f, const char *part, size_t n, size_t *from, char *out, size_t cap)
{
    size_t begin = *from, got = 0;
    *from += n;
    if (f->at < begin || f->at >= begin + n)
        return 0;
    got = begin + n - f->at;
    got = got < cap ? got : cap;
    if (part)
        memcpy(out, part + (f->at - begin), got);
    else
        memset(out, 'x', got);
    f->at += got;
    return got;
}

static size_t next(void *out, size_t cap, void *arg)
{
    feed *f = arg;
    char *to = out;
    size_t from = 0, got = 0;
    got += piece(f, open_list, OPEN, &from, to + got, cap - got);
    got += piece(f, NULL, f->room, &from, to + got, cap - got);
    got += piece(f, between, BETWEEN, &from, to + got, cap - got);
    got += piece(f, f->text, f->n, &from, to + got, cap - got);
    got += piece(f, close_list, CLOSE, &from, to + got, cap - got);
    return got;
}

static json_t *refuse(const char *what, const feed *f, const json_error_t *why, hst_err *err)
{
    const size_t before = OPEN + f->room + BETWEEN;
    const size_t position = why->position > 0 ? (size_t)why->position : 0;
    if (json_error_code(why) == json_error_out_of_memory)
        hst_fail(err, HST_EMEM, "out of memory: %s", what);
    else
        hst_fail(err, HST_EMODEL, "%s: not valid JSON: %s (byte %zu)", what, why->text,
                 position > before ? position - before : 0);
    return NULL;
}

/* Letters of the first string: with its two quotes at least as many bytes as the longest token, and
 * no power of two. */
static size_t room_for(const char *text, size_t n)
{
    size_t bytes = longest_token(text, n) + 4;
    return (bytes & (bytes - 1) ? bytes : bytes + 1) - 2;
}

json_t *hst_json_parse(const char *text, size_t n, const char *what, hst_err *err)
{
    json_error_t why;
    feed f = {.text = text, .n = n, .room = room_for(text, n)};
    void *trial =
        hst_alloc(4, f.room, err); /* the buffer, twice as large as its text, and a copy */
    free(trial);
    if (!trial)
        return NULL;
    json_t *list = json_load_callback(next, &f, JSON_REJECT_DUPLICATES, &why), *value = NULL;
    if (!list)
        return refuse(what, &f, &why, err);
    if (json_string_length(json_array_get(list, 0)) != f.room)
        hst_fail(err, HST_EMEM, "out of memory: %s", what);
    else if (json_array_size(list) != 2)
        hst_fail(err, HST_EMODEL, "%s: not valid JSON: more than one value", what);
    else
        value = json_incref(json_array_get(list, 1));
    json_decref(list);
    return value;
}

char *hst_json_write(const json_t *value, size_t flags, hst_err *err)
{
    const size_t n = value ? json_dumpb(value, NULL, 0, flags) : 0;
    char *text = n > 0 ? hst_alloc(n + 1, 1, err) : NULL;
    if (text && json_dumpb(value, text, n, flags) == n)
        return text;
    free(text);
    hst_fail(err, HST_EMEM, "out of memory: JSON text");
    return NULL;
}
