/* roff.h - text as man(7) wants it. */
#ifndef HST_CLI_GENERATE_ROFF_H
#define HST_CLI_GENERATE_ROFF_H
#include "output.h"

/* In text: what lies between is bold. */
enum { GEN_BOLD = '\1', GEN_PLAIN = '\2' };

/* As it is, line by line. */
void gen_roff_put(cli_out *out, const char *text);
/* In lines of at most some 80 bytes, with a newline at the end. */
void gen_roff_fill(cli_out *out, const char *text);
/* .TP: what it is called and what it means. */
void gen_roff_item(cli_out *out, const char *name, const char *text);
#endif
