#include "images/size.h"

#include "base/json.h"

#include <stdio.h>

hst_size hst_size_square(int side)
{
    return (hst_size){side, side};
}

int hst_size_is_square(hst_size s)
{
    return s.width == s.height;
}

int hst_size_equal(hst_size a, hst_size b)
{
    return a.width == b.width && a.height == b.height;
}

int hst_size_longer(hst_size s)
{
    return s.width > s.height ? s.width : s.height;
}

size_t hst_size_pixels(hst_size s)
{
    return (size_t)s.width * (size_t)s.height;
}

int hst_size_within(hst_size s, int least, int most)
{
    return s.width >= least && s.width <= most && s.height >= least && s.height <= most;
}

/* ---- words ---- */

const char *hst_size_text(hst_size s, char text[HST_SIZE_TEXT])
{
    if (hst_size_is_square(s))
        snprintf(text, HST_SIZE_TEXT, "%d", s.width);
    else
        snprintf(text, HST_SIZE_TEXT, "%dx%d", s.width, s.height);
    return text;
}

/* The number that digits from *at on are; 0: there are none, or too many. */
static int read_side(const char *word, size_t n, size_t *at)
{
    enum { MOST_DIGITS = 4 };
    const size_t first = *at;
    int side = 0;
    for (; *at < n && word[*at] >= '0' && word[*at] <= '9'; (*at)++) {
        if (*at - first == MOST_DIGITS)
            return 0;
        side = 10 * side + (word[*at] - '0');
    }
    return side;
}

int hst_size_parse(const char *word, size_t n, hst_size *out)
{
    size_t at = 0;
    hst_size s = hst_size_square(read_side(word, n, &at));
    if (s.width && at < n && word[at] == 'x') {
        at++;
        s.height = read_side(word, n, &at);
    }
    if (!s.width || !s.height || at != n)
        return 0;
    *out = s;
    return 1;
}

/* ---- JSON ---- */

enum { KEY_TEXT = 64 };

/* NAME_px, NAME_width_px or NAME_height_px. */
static const char *key_of(const char *name, const char *side, char text[KEY_TEXT])
{
    snprintf(text, KEY_TEXT, "%s_%spx", name, side);
    return text;
}

int hst_size_write(hst_size s, const char *name, json_t *o)
{
    char key[KEY_TEXT];
    if (hst_size_is_square(s))
        return json_object_set_new(o, key_of(name, "", key), json_integer(s.width));
    int rc = json_object_set_new(o, key_of(name, "width_", key), json_integer(s.width));
    return rc ? rc : json_object_set_new(o, key_of(name, "height_", key), json_integer(s.height));
}

int hst_size_read(const json_t *o, const char *name, int low, int high, hst_size *out, hst_err *err)
{
    char key[KEY_TEXT];
    hst_size s;
    const int has_sides = hst_json_has(o, key_of(name, "width_", key)) ||
                          hst_json_has(o, key_of(name, "height_", key));
    if (!has_sides || hst_json_has(o, key_of(name, "", key))) {
        int rc = hst_json_int(o, key_of(name, "", key), low, high, &s.width, err);
        if (rc == 0)
            *out = hst_size_square(s.width);
        return rc;
    }
    int rc = hst_json_int(o, key_of(name, "width_", key), low, high, &s.width, err);
    rc = rc ? rc : hst_json_int(o, key_of(name, "height_", key), low, high, &s.height, err);
    if (rc == 0)
        *out = s;
    return rc;
}
