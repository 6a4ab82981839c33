/* options.h - one table of options per command: it drives parsing and --help alike.
 *
 * A table is pure data, so that other readers of it (a manual page, a shell's completion) need no
 * code of their own for a new option. getopt and argp want the help written beside the table, and
 * know neither choices nor ranges nor "did you mean". */
#ifndef HST_CLI_OPTIONS_H
#define HST_CLI_OPTIONS_H
#include "headstart.h"
#include "output.h"

#include <stddef.h>
#include <stdint.h>

/* What a value may be, and the type of its place in cli_values. */
enum cli_kind {
    CLI_FLAG,     /* int: 1 when given; takes no value */
    CLI_TEXT,     /* const char *: anything but the empty text */
    CLI_CHOICE,   /* const char *: one of the words in arg, "pil|tf" */
    CLI_COUNT,    /* int: a whole number from 1 */
    CLI_FRACTION, /* double: between 0 and 1, both excluded */
    CLI_POINTS,   /* double: from 0 to 100 */
    CLI_NUMBER,   /* of a setting of the library: as its table has it */
    CLI_BYTES,    /* uint64_t: a whole number from 1, with K, M, G or T for powers of 1024 */
    CLI_SIZE,     /* cli_size: a whole number from 1, of a square, or WIDTHxHEIGHT */
    CLI_PART      /* cli_part: I/N, whole numbers, I from 1 to N or 0, which stands for N */
};

/* In pixels. */
typedef struct cli_size {
    int width, height;
} cli_size;

/* One task of a job of many; count 0: it has all of the job. */
typedef struct cli_part {
    int index, count;
} cli_part;

typedef struct cli_option {
    const char *name; /* "val-split", typed as --val-split; NULL ends a table */
    char letter;      /* 'o', typed as -o; 0: none */
    enum cli_kind kind;
    size_t at;            /* offset of the value in cli_values */
    const char *arg;      /* what --help calls the value; NULL for a flag */
    const char *standard; /* the default, read as if it had been typed; NULL: zero or NULL */
    const char *help;
    const hst_setting *setting; /* the value goes into cli_values.train; NULL: to `at` */
    const char *section;        /* of the help, as of hst_setting; NULL: everyday */
    int hidden; /* 1: it means nothing to this command, which takes it and does not list it */
} cli_option;

enum {
    CLI_OPTIONS_MAX = 96, /* of one command, the common ones too */
    CLI_TEXT_MAX = 256    /* bytes of a text about an option */
};

/* The values of every option of every command, and the other words of the command line. Texts are
 * borrowed from argv or from the tables. */
typedef struct cli_values {
    const char *output, *backbone, *split, *val, *prepare, *format, *resume, *scaling, *views, *fit;
    const char *precision, *pool;
    const char *into, *cam, *unknown, *part, *color;
    const char *path_column, *label_column, *split_column, *images, *label_from, *separator,
        *target;
    const char *to, *input, *layout, *weights, *data; /* of export */
    const char *labels;                               /* of a model of another program */
    uint64_t store_max;
    double val_split, min_accuracy, least, threshold, max_drop;
    int threads, top;
    cli_size image;
    cli_part shard;
    int json, offline, quiet, help, labelled, devices, steps, no_store, rehash, all, strict, copy,
        link, move, dry_run, no_unknown, by_nul, multi_label, batch, logits, check;
    hst_train_opts train; /* of a command that uses settings */
    const char **words;   /* [n_words], to be freed */
    int n_words;
    /* What was typed for the i-th option of the command; "" for a flag; NULL: nothing. */
    const char *text[CLI_OPTIONS_MAX];
} cli_values;

struct cli_job;

/* What a command that is a family of small ones does, named by its first word. */
typedef struct cli_action {
    const char *name; /* NULL ends a table */
    const char *arg;  /* what follows: "NAME", "[NAME]" (may be left out), NULL: nothing */
    int (*run)(struct cli_job *job);
} cli_action;

typedef struct cli_command {
    const char *name;
    const char *summary;             /* a line for the list of commands */
    const char *usage;               /* what follows the name: "DIR [options]" */
    const char *text;                /* what it does; lines of at most 80 columns */
    const char *examples;            /* command lines, one a line */
    const cli_option *options;       /* its own; cli_common come on top */
    int uses_settings;               /* 1: the library's settings of training as well */
    int uses_store;                  /* 1: cli_store_options as well */
    int shares;                      /* 1: processes of one job share its work */
    int no_threads, no_downloads;    /* 1: --threads, --offline mean nothing to it */
    const char *goes_on;             /* what is kept where it is interrupted; NULL: nothing */
    int colours;                     /* 1: its results may be coloured */
    const cli_action *actions;       /* NULL: none */
    int min_words, max_words;        /* besides options; max_words -1: any number */
    const char *missing[2];          /* what is not there: of no word, of one; "a model is" */
    int (*run)(struct cli_job *job); /* returns the exit status */
} cli_command;

/* Options every command has. */
extern const cli_option cli_common[];

/* The options of a backbone's file that says too little, as rows of a table. */
#define CLI_BACKBONE_OPTIONS                                                                       \
    {"scaling",                                                                                    \
     0,                                                                                            \
     CLI_CHOICE,                                                                                   \
     offsetof(cli_values, scaling),                                                                \
     "pm1|01|imagenet|255",                                                                        \
     NULL,                                                                                         \
     "What the backbone wants of pixels: -1..1, 0..1, ImageNet's mean and deviation, or 0..255 "   \
     "(if not given, what its file says or its producer does).",                                   \
     .section = "expert"},                                                                         \
        {"image-px",                                                                               \
         0,                                                                                        \
         CLI_SIZE,                                                                                 \
         offsetof(cli_values, image),                                                              \
         "SIZE",                                                                                   \
         NULL,                                                                                     \
         "The backbone's input in pixels: 320, a square, or 320x160, width x height (if not "      \
         "given, what its file says).",                                                            \
         .section = "expert"},                                                                     \
    {                                                                                              \
        "pool", 0, CLI_CHOICE, offsetof(cli_values, pool), "cls|mean|cls+mean|map", NULL,          \
            "What of a transformer's tokens the features are: the class token, the mean of the "   \
            "patches, one behind the other, or what its attention pool makes of them (if not "     \
            "given, what its publisher takes).",                                                   \
            .section = "expert"                                                                    \
    }
/* Of those that compute features. */
#define CLI_VIEWS_OPTION                                                                           \
    {                                                                                              \
        "views", 0, CLI_TEXT, offsetof(cli_values, views), "LIST", NULL,                           \
            "Show each photo in other ways too and take the mean of the features: mirror, crop "   \
            "(the middle), sizes as --image-px; with commas: mirror,288. Each view is one more "   \
            "pass "                                                                                \
            "through the network, mirror doubles them all; in prediction, too.",                   \
            .section = "accuracy"                                                                  \
    }

#define CLI_PRECISION_OPTION(words, more)                                                          \
    {                                                                                              \
        "precision", 0, CLI_CHOICE, offsetof(cli_values, precision), words, NULL,                  \
            "Of the network's products. fp32, unless a model file that is given as backbone says " \
            "otherwise; bf16: half the bits, faster where the processor multiplies them; int8: a " \
            "quarter, which photos of the training side are counted for first." more,              \
            .section = "expert"                                                                    \
    }

/* Where the labels of photos are, when they are not in class folders. */
#define CLI_LIST_OPTION(word, field, value, text)                                                  \
    {                                                                                              \
        word, 0, CLI_TEXT, offsetof(cli_values, field), value, NULL, text, .section = "lists"      \
    }
#define CLI_LIST_OPTIONS                                                                           \
    CLI_LIST_OPTION("path-column", path_column, "NAME",                                            \
                    "Of a list: the column of the photos' paths, by name or number (if not "       \
                    "given, the one that there is no doubt about)."),                              \
        CLI_LIST_OPTION("label-column", label_column, "NAME",                                      \
                        "Of a list: the column of labels; with --multi-label several, with ',' "   \
                        "between."),                                                               \
        CLI_LIST_OPTION("split-column", split_column, "NAME",                                      \
                        "Of a list: the column that says train, val or test."),                    \
        CLI_LIST_OPTION("images", images, "DIR",                                                   \
                        "Of a list: the folder that its paths are below (if not given, the "       \
                        "list's)."),                                                               \
        CLI_LIST_OPTION("label-from", label_from, "REGEX",                                         \
                        "Labels are in the paths below DIR: the first group of this POSIX "        \
                        "extended regular expression, as in '([^/]+)_[0-9]+.jpg$'.")
#define CLI_SEPARATOR_OPTION                                                                       \
    CLI_LIST_OPTION("label-separator", separator, "CHARS",                                         \
                    "Of several labels a photo: what stands between them in one cell of a list "   \
                    "(if not given, '|', else ';', else ','; a space only where it is given).")
/* Of the commands that learn: what is known of a photo is more, or other, than one class. */
#define CLI_TARGET_OPTIONS                                                                         \
    {"multi-label",                                                                                \
     0,                                                                                            \
     CLI_FLAG,                                                                                     \
     offsetof(cli_values, multi_label),                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "A photo may have several labels, or none: in one cell of a list (cat|dog), in several rows " \
     "or columns, in JSON, or as copies in several class folders."},                               \
        CLI_SEPARATOR_OPTION,                                                                      \
        CLI_LIST_OPTION("target", target, "COLUMN",                                                \
                        "Of a list: learn the numbers in this column, in place of labels.")

/* Of the commands that have --prepare, but for train, whose settings are the library's. */
#define CLI_FIT_OPTION(of_what)                                                                    \
    {                                                                                              \
        "fit", 0, CLI_CHOICE, offsetof(cli_values, fit), "squash|crop|pad", NULL,                  \
            "How a photo of another shape becomes the network's size" of_what                      \
            ": stretched (the default), its middle, or all of it on a plain ground. Not with "     \
            "--prepare hub."                                                                       \
    }

/* Of the commands whose photos can be dealt to the tasks of a job array. */
#define CLI_SHARD_OPTION                                                                           \
    {                                                                                              \
        "shard", 0, CLI_PART, offsetof(cli_values, shard), "I/N", NULL,                            \
            "The I-th of N parts of the photos, as one task of a job array has it: "               \
            "--shard $SLURM_ARRAY_TASK_ID/20, counted from 1 or from 0. headstart merge joins "    \
            "what the tasks have written (docs/shards.md)."                                        \
    }

/* Of the commands that take models of other programs, whose files may say too little. */
#define CLI_FOREIGN_OPTIONS                                                                        \
    {"labels",                                                                                     \
     0,                                                                                            \
     CLI_TEXT,                                                                                     \
     offsetof(cli_values, labels),                                                                 \
     "FILE",                                                                                       \
     NULL,                                                                                         \
     "Of a model of another program: the names of its classes, a line each, or as JSON (if not "   \
     "given, its own or those in labels.txt beside it).",                                          \
     .section = "expert"},                                                                         \
        {"scaling",                                                                                \
         0,                                                                                        \
         CLI_CHOICE,                                                                               \
         offsetof(cli_values, scaling),                                                            \
         "pm1|01|imagenet|255",                                                                    \
         NULL,                                                                                     \
         "Of such a model: what it wants of pixels, -1..1, 0..1, ImageNet's mean and deviation, "  \
         "or 0..255 (if not given, what its file says or its producer does).",                     \
         .section = "expert"},                                                                     \
        {"prepare",                                                                                \
         0,                                                                                        \
         CLI_CHOICE,                                                                               \
         offsetof(cli_values, prepare),                                                            \
         "pil|tf|fast|scaled|hub",                                                                 \
         NULL,                                                                                     \
         "Of such a model: how photos are decoded and resized, as train --prepare has it.",        \
         .section = "expert"},                                                                     \
    {                                                                                              \
        "fit", 0, CLI_CHOICE, offsetof(cli_values, fit), "squash|crop|pad", NULL,                  \
            "Of such a model: how a photo of another shape becomes the network's size.",           \
            .section = "expert"                                                                    \
    }

/* Options of the commands that look photos up in the feature store. */
extern const cli_option cli_store_options[];

/* Fills *v from argv[0 .. argc-1], which stand behind the command's name. 0, or 2 after one line on
 * standard error. The caller frees v->words either way. */
int cli_options_parse(const cli_command *c, int argc, char **argv, cli_values *v);

/* 1 when the option stood on the command line. The command must have one of that name. */
int cli_options_typed(const cli_command *c, const cli_values *v, const char *name);

/* The i-th option of a command, its own first, the common ones last; 0 past the end. */
int cli_options_at(const cli_command *c, size_t i, cli_option *out);
/* The same in the order of a page of help, where options under one heading stand together; hidden
 * ones are left out. */
int cli_options_grouped_at(const cli_command *c, size_t i, cli_option *out);

/* What --help calls the value, "DIR" or "pil|tf"; NULL for a flag. It may lie in text. */
const char *cli_option_arg(const cli_option *o, char text[CLI_TEXT_MAX]);
/* The default; NULL where there is none to tell. It may lie in text. */
const char *cli_option_standard(const cli_option *o, char text[CLI_TEXT_MAX]);
/* The heading over it and its neighbours in a page of help. */
const char *cli_option_heading(const cli_option *o);

/* A row of help: a name and, from a column on, text in lines as wide as standard output. */
void cli_options_put_row(cli_out *out, int column, const char *name, const char *text);
/* The command's page of help: of a command with many options the everyday ones and the names of the
 * others, or, where section is not NULL, those of that section; "all": all of them. */
void cli_options_help(const cli_command *c, const char *section, cli_out *out);
/* The first of words[n] that names a section of the command's help, or "all"; else NULL. */
const char *cli_options_section(const cli_command *c, const char *const *words, int n);

/* The word of names[n] that typed was most likely meant to be; NULL when none is near. */
const char *cli_nearest(const char *typed, const char *const *names, size_t n);
#endif
