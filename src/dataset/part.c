/* part.c - which part of the data a name stands for. */
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
        size_t k = 0;
        while (k < sizeof words / sizeof *words && strcmp(words[k].word, word[i]) != 0)
            k++;
        if (k == sizeof words / sizeof *words || (words[k].part && part))
            return HST_PART_NONE;
        part = words[k].part ? words[k].part : part;
    }
    return part;
}
