/* part.c - the parts of a data set: which a name stands for, and which are used. */
#include "dataset/rows.h"

#include <string.h>

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The words of a name in small letters: "seg_Train" -> "seg", "train". Returns how many. */
enum { MOST_WORDS = 3, WORD = 16 };
static int words_of(const char *name, char word[MOST_WORDS][WORD])
{
    int n = 0;
    for (size_t length = 0; *name; name++) {
        if (!is_letter(*name) && strchr("-_. ", *name)) {
            length = 0;
            continue;
        }
        n += length == 0;
        if (n > MOST_WORDS || length + 1 >= WORD || (uint8_t)*name >= 0x80)
            return 0;
        word[n - 1][length++] = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        word[n - 1][length] = 0;
    }
    return n;
}

enum hst_part hst_part_of(const char *name)
{
    /* words without a part are what is put beside such a name: "seg_train", "test_set" */
    static const struct {
        const char *word;
        enum hst_part part;
    } words[] = {
        {"train", HST_PART_TRAIN},   {"training", HST_PART_TRAIN}, {"trainset", HST_PART_TRAIN},
        {"val", HST_PART_VAL},       {"valid", HST_PART_VAL},      {"validation", HST_PART_VAL},
        {"dev", HST_PART_VAL},       {"valset", HST_PART_VAL},     {"test", HST_PART_TEST},
        {"testing", HST_PART_TEST},  {"testset", HST_PART_TEST},   {"seg", HST_PART_NONE},
        {"set", HST_PART_NONE},      {"data", HST_PART_NONE},      {"dataset", HST_PART_NONE},
        {"images", HST_PART_NONE},   {"image", HST_PART_NONE},     {"imgs", HST_PART_NONE},
        {"photos", HST_PART_NONE},   {"split", HST_PART_NONE},     {"folder", HST_PART_NONE},
        {"pictures", HST_PART_NONE},
    };
    char word[MOST_WORDS][WORD];
    const int n = words_of(name, word);
    enum hst_part part = HST_PART_NONE;
    for (int i = 0; i < n; i++) {
        const size_t letters = strcspn(word[i], "0123456789"); /* "test1", "val2017" */
        const int numbered = word[i][letters + strspn(word[i] + letters, "0123456789")] == 0;
        size_t k = 0;
        while (k < sizeof words / sizeof *words && !(numbered && strlen(words[k].word) == letters &&
                                                     strncmp(words[k].word, word[i], letters) == 0))
            k++;
        if (k == sizeof words / sizeof *words || (words[k].part && part))
            return HST_PART_NONE;
        part = words[k].part ? words[k].part : part;
    }
    return part;
}

/* ---- the parts that are used ---- */

enum { ALL = -1 };

static const char *const option[HST_PARTS] = {"none", "train", "val", "test"};

int hst_part_check(const char *name, hst_err *err)
{
    if (!name || strcmp(name, "held") == 0)
        return 0;
    for (int p = 0; p < HST_PARTS; p++)
        if (strcmp(name, option[p]) == 0)
            return 0;
    return hst_fail(err, HST_EARG, "unknown part '%s': train, val, test, held or none", name);
}

static void count(const hst_rows *r, size_t n[HST_PARTS])
{
    memset(n, 0, HST_PARTS * sizeof *n);
    for (size_t i = 0; i < r->n; i++)
        n[r->row[i].part]++;
}

/* The part that alone is asked for, or ALL. */
static int part_asked(const hst_rows *r, const size_t n[HST_PARTS])
{
    const char *part = r->o->part;
    if (!part || strcmp(part, option[HST_PART_NONE]) == 0)
        return ALL;
    if (strcmp(part, "held") == 0)
        return n[HST_PART_TEST] ? HST_PART_TEST : n[HST_PART_VAL] ? HST_PART_VAL : ALL;
    for (int p = HST_PART_TRAIN; p < HST_PARTS; p++)
        if (strcmp(part, option[p]) == 0)
            return p;
    return ALL;
}

static void keep(hst_rows *r, int part, int keeps)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (((int)r->row[i].part == part) == keeps)
            r->row[n++] = r->row[i];
    r->n = n;
}

static const char *name_of(const hst_rows *r, int part)
{
    return r->part_name[part] ? r->part_name[part] : option[part];
}

/* One part alone: photos without sides. */
static int take_one(hst_rows *r, int part, const size_t n[HST_PARTS], hst_err *err)
{
    if (n[part] == 0)
        return hst_fail(err, HST_EDATA, "%s has no photos of the part %s%s", r->data->dir,
                        option[part],
                        n[HST_PART_NONE] == r->n ? ": it is not divided into parts" : "");
    keep(r, part, 1);
    for (size_t i = 0; i < r->n; i++)
        r->row[i].part = HST_PART_NONE;
    r->data->root = r->part_path[part];
    r->data->val_root = NULL;
    return hst_rows_understood(r, err, "of its parts %s is used", name_of(r, part));
}

/* The sides: what is for tests stands in for validation where nothing else does. */
static int take_sides(hst_rows *r, const size_t n[HST_PARTS], hst_err *err)
{
    const int val = n[HST_PART_VAL] ? HST_PART_VAL : HST_PART_TEST;
    if (n[HST_PART_TRAIN] + n[HST_PART_VAL] + n[HST_PART_TEST] == 0)
        return 0;
    r->data->val_root = r->part_path[val];
    if (r->o->val_dir)
        return 0;
    if (r->data->split == HST_SPLIT_NONE)
        return hst_rows_understood(r, err, "the photos of all its parts are used");
    if (n[val] == 0)
        return 0;
    int rc = hst_rows_understood(r, err, "%s and %s are the two sides", name_of(r, HST_PART_TRAIN),
                                 name_of(r, val));
    if (rc || val == HST_PART_TEST || n[HST_PART_TEST] == 0)
        return rc;
    keep(r, HST_PART_TEST, 0);
    return hst_rows_understood(r, err, "%s (%zu photo%s) is kept for eval",
                               name_of(r, HST_PART_TEST), n[HST_PART_TEST],
                               n[HST_PART_TEST] == 1 ? "" : "s");
}

int hst_rows_take_part(hst_rows *r, hst_err *err)
{
    size_t n[HST_PARTS];
    count(r, n);
    const int part = part_asked(r, n);
    r->data->root = r->part_path[r->part_path[HST_PART_TRAIN] ? HST_PART_TRAIN : HST_PART_NONE];
    return part == ALL ? take_sides(r, n, err) : take_one(r, part, n, err);
}
