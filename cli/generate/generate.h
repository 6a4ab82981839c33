/* generate.h - manual pages and completions of shells, written at build time from the tables that
 * drive parsing and --help, and from docs/files.md: a new option, command, column or key needs
 * nothing here. */
#ifndef HST_CLI_GENERATE_H
#define HST_CLI_GENERATE_H
#include "commands.h"

/* What may stand in a place of the command line. */
enum gen_kind {
    GEN_NOTHING,  /* no value, or one that nobody can guess */
    GEN_WORDS,    /* one of the words in a text like "pil|tf" */
    GEN_FOLDER,   /* a folder */
    GEN_FILE,     /* a file or folder */
    GEN_BACKBONE, /* the name of a backbone, a file or a folder */
    GEN_NAME      /* the name of a backbone */
};
enum gen_kind gen_option_kind(const cli_option *o);
/* Of the words of a command that has no actions. */
enum gen_kind gen_words_kind(const cli_command *c);
enum gen_kind gen_action_kind(const cli_action *a);

/* A text with '|' between words, with spaces instead. */
void gen_put_words(cli_out *out, const char *words);
/* The names of the backbones, with spaces between. */
void gen_put_backbones(cli_out *out);
/* Text in which every character of `special` gets `escape` in front; at most n bytes. */
void gen_put_escaped(cli_out *out, const char *text, size_t n, const char *special,
                     const char *escape);
/* Length of the first statement of a help text, which is all that fits beside a completion. */
size_t gen_brief(const char *help);

/* Manual pages; doc: what is in docs/files.md. */
void gen_man_program(cli_out *out, const char *doc);
void gen_man_command(cli_out *out, const cli_command *c, const char *doc);
void gen_bash(cli_out *out);
void gen_zsh(cli_out *out);
void gen_fish(cli_out *out);
#endif
