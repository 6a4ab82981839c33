/* doc.h - what docs/files.md says, for manual pages. It is Markdown of a plain kind: headings,
 * paragraphs, tables of two columns. */
#ifndef HST_CLI_GENERATE_DOC_H
#define HST_CLI_GENERATE_DOC_H
#include "output.h"

/* What is printed or what is left in files. */
enum gen_doc_part { GEN_DOC_OUTPUT, GEN_DOC_FILES };

/* The text of a file, to be freed; NULL: it cannot be read, which is said. */
char *gen_doc_read(const char *path);
/* Under a heading of man(7): the sections whose headings have, as code, the name alone or with
 * options behind it. That is output where these are --json or --format. Nothing, nor the heading,
 * where there is none. */
void gen_doc_put(cli_out *out, const char *doc, const char *name, enum gen_doc_part part);
#endif
