#include "training/class_numbers.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20 };
static const double LEAST = 1e-9; /* and its inverse the most: sums and ratios stay numbers */

/* A line of the file being read. */
typedef struct line {
    const char *path, *what;
    int number;
    char *label, *text;
} line;

/* Ends the field at s, in which "" stands for a quote where it is quoted; its text goes to the
 * front. What follows the field. */
static char *cut_field(char *s)
{
    char *to = s, *from = s + 1;
    if (*s != '"')
        return s + strcspn(s, ",");
    for (; *from && (*from != '"' || from[1] == '"'); from++) {
        from += *from == '"';
        *to++ = *from;
    }
    from += *from == '"';
    if (*from == ',')
        *to = 0;
    return from;
}

/* Cuts s, which has no line break, into its two fields. 0: there are no two. */
static int cut_line(char *s, line *l)
{
    char *comma = cut_field(s);
    if (*comma != ',')
        return 0;
    *comma = 0;
    l->label = s;
    l->text = comma + 1;
    return 1;
}

static int by_name(const void *name, const void *class)
{
    return strcmp(name, *(const char *const *)class);
}

/* A first line without a number is a header: were it a wrong one, its class would be missed in the
 * end. */
static int take_line(const line *l, const hst_data *d, double *value, hst_err *err)
{
    double read;
    int number = hst_read_real(l->text, NULL, &read);
    if (!number && l->number == 1)
        return 0;
    const char **class =
        bsearch(l->label, d->classes, (size_t)d->n_classes, sizeof *d->classes, by_name);
    if (!class)
        return hst_fail(err, HST_EARG, "%s, line %d: there is no class '%s'", l->path, l->number,
                        l->label);
    if (!number || !(read >= LEAST && read <= 1 / LEAST))
        return hst_fail(err, HST_EARG,
                        "%s, line %d: the %s of %s is '%s'; expected a number above 0, from %g "
                        "to %g",
                        l->path, l->number, l->what, l->label, l->text, LEAST, 1 / LEAST);
    double *have = &value[class - d->classes];
    if (*have > 0)
        return hst_fail(err, HST_EARG, "%s, line %d: class %s is there twice", l->path, l->number,
                        l->label);
    *have = read;
    return 0;
}

static int take_lines(char *text, const line *of, const hst_data *d, double *value, hst_err *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some programs begin UTF-8 with it */
    line l = *of;
    if (strncmp(text, mark, sizeof mark - 1) == 0)
        text += sizeof mark - 1;
    int rc = 0;
    for (char *next; rc == 0 && text; text = next) {
        size_t n = strcspn(text, "\n");
        next = text[n] ? text + n + 1 : NULL;
        while (n > 0 && strchr(" \r\t", text[n - 1]))
            n--;
        text[n] = 0;
        l.number++;
        if (n > 0 && !cut_line(text, &l))
            rc =
                hst_fail(err, HST_EARG, "%s, line %d: expected label,%s", l.path, l.number, l.what);
        else if (n > 0)
            rc = take_line(&l, d, value, err);
    }
    return rc;
}

int hst_class_numbers_read(const char *path, const hst_class_numbers *words, const hst_data *d,
                           double *value, hst_err *err)
{
    uint8_t *text = NULL;
    size_t n;
    hst_err why = {0};
    const line l = {.path = path, .what = words->what};
    int rc = hst_file_read(path, FILE_MAX, HST_EARG, &text, &n, &why);
    if (rc)
        return hst_fail(err, rc, "%s, not '%s': %s", words->choices, path, why.msg);
    memset(value, 0, (size_t)d->n_classes * sizeof *value);
    rc = take_lines((char *)text, &l, d, value, err);
    free(text);
    for (int c = 0; rc == 0 && c < d->n_classes; c++)
        if (!(value[c] > 0))
            rc = hst_fail(err, HST_EARG, "%s has no line for class %s", path, d->classes[c]);
    return rc;
}
