/* text.h - UTF-8 text for terminals: made printable, measured in columns, shortened. wcwidth() goes
 * by the locale, which a program that prints UTF-8 everywhere does not set. */
#ifndef HST_CLI_TEXT_H
#define HST_CLI_TEXT_H
#include <stddef.h>
#include <stdio.h>

/* Copies s into out[cap]; control characters and broken UTF-8 become '?'. Cut between characters
 * when it does not fit. */
void cli_text_clean(char *out, size_t cap, const char *s);

/* Columns a terminal needs for s, which is clean: combining marks 0, East Asian wide characters and
 * emoji 2, all others 1 (Unicode Standard Annex 11, ranges coarsened). */
int cli_text_width(const char *s);

/* s as a word that a shell reads back as s, to a stream: quoted where it must be; what would upset
 * a terminal as \ooo. */
void cli_text_quote(FILE *to, const char *s);

/* Copies s, made clean, into out[cap]; over `columns` (at least 5) the middle gives way to "..". */
void cli_text_shorten(char *out, size_t cap, const char *s, int columns);

/* "224 x 224 px", or "320 x 160 px (width x height)", into text, which is returned. */
enum { CLI_SIZE_TEXT = 64 };
const char *cli_text_size(int width, int height, char text[CLI_SIZE_TEXT]);

/* Columns of the terminal at fd; where it is none, what COLUMNS says, else 80. */
int cli_text_columns(int fd);
/* 1: fd is a terminal that can do more than print lines. */
int cli_text_is_terminal(int fd);
#endif
