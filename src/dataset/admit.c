#include "dataset/admit.h"

#include "base/file.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

int hst_keras_lists(const char *name, int webp)
{
    static const char *const endings[] = {".bmp", ".gif", ".jpeg", ".jpg", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hst_ends_with_any_case(name, endings[i]))
            return 1;
    return webp && hst_ends_with_any_case(name, ".webp");
}

int hst_admit_by_name(const char *name)
{
    return hst_format_is_read(hst_format_of_name(name));
}

enum { ENDING = 16 };

/* ".txt" in small letters; "": none, or what no program would call one ("scan.2021"). */
static void ending_of(const char *path, char out[ENDING])
{
    const char *base = hst_path_base(path), *dot = strrchr(base, '.');
    size_t n = 0;
    int letters = 0;
    out[0] = 0;
    if (!dot || dot == base || strlen(dot) >= ENDING)
        return;
    for (; dot[n]; n++) {
        const char c = dot[n] >= 'A' && dot[n] <= 'Z' ? (char)(dot[n] - 'A' + 'a') : dot[n];
        const int letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        if (n && !letter && !digit && c != '_') {
            out[0] = 0;
            return;
        }
        letters += letter;
        out[n] = c;
    }
    out[letters ? n : 0] = 0;
}

/* What the first bytes say. Two letters are little to know a BMP by where its name does not say so:
 * its reserved fields are 0. */
static enum hst_format format_of(const uint8_t *head, size_t n)
{
    const enum hst_format f = hst_format_of(head, n);
    static const uint8_t reserved[4];
    if (f == HST_FORMAT_BMP && (n < 10 || memcmp(head + 6, reserved, sizeof reserved) != 0))
        return HST_FORMAT_UNKNOWN;
    return f;
}

/* ".heic (install libheif)", "HEIC named .jpg_", "HEIC without an ending". */
static void tell_format(const char *name, enum hst_format is, const char *ending, hst_admission *a)
{
    const char *needs = hst_format_needs(is);
    if (hst_format_of_name(name) == is)
        snprintf(a->what, sizeof a->what, "%s", ending);
    else if (*ending)
        snprintf(a->what, sizeof a->what, "%.12s named %s", hst_format_name(is), ending);
    else
        snprintf(a->what, sizeof a->what, "%.12s without an ending", hst_format_name(is));
    const size_t n = strlen(a->what);
    if (needs)
        snprintf(a->what + n, sizeof a->what - n, " (install %.20s)", needs);
}

void hst_admit_by_head(const char *name, const uint8_t *head, size_t n, hst_admission *a)
{
    char ending[ENDING];
    const enum hst_format content = n == HST_TREE_NO_HEAD ? HST_FORMAT_UNKNOWN : format_of(head, n);
    const enum hst_format is = content ? content : hst_format_of_name(name);
    ending_of(name, ending);
    *a = (hst_admission){.why = HST_LEFT_NO_PHOTO};
    if (n == HST_TREE_NO_HEAD)
        a->why = HST_LEFT_UNREAD;
    else if (n == 0)
        a->why = HST_LEFT_EMPTY;
    else if (hst_format_is_read(is))
        a->taken = 1;
    else if (is != HST_FORMAT_UNKNOWN)
        a->why = HST_LEFT_FORMAT;
    if (a->why == HST_LEFT_FORMAT)
        tell_format(name, is, ending, a);
    else if (a->why == HST_LEFT_NO_PHOTO)
        snprintf(a->what, sizeof a->what, "%s", *ending ? ending : "without an ending");
}

void hst_admit(const hst_tree *t, size_t i, hst_admission *a)
{
    uint8_t head[HST_FORMAT_MAGIC_BYTES];
    const char *name = hst_path_base(t->file[i].below);
    if (hst_admit_by_name(name)) {
        *a = (hst_admission){.taken = 1};
        return;
    }
    hst_admit_by_head(name, head, t->head ? t->head(t, i, head) : HST_TREE_NO_HEAD, a);
}

int hst_is_photo(const char *path, enum hst_left *why, char *what, size_t cap)
{
    uint8_t head[HST_FORMAT_MAGIC_BYTES];
    const char *name = hst_path_base(path);
    hst_admission a = {.taken = 1};
    if (hst_is_junk(name))
        a = (hst_admission){.why = HST_LEFT_JUNK};
    else if (!hst_admit_by_name(name))
        hst_admit_by_head(name, head, hst_tree_read_head(path, head), &a);
    if (why && !a.taken)
        *why = a.why;
    if (cap)
        snprintf(what, cap, "%s", a.what);
    return a.taken;
}
