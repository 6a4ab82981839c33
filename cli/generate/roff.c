#include "roff.h"

#include <string.h>

enum { LINE = 76 };

/* How a character is written: those that roff would turn into typographic ones as their ASCII
 * selves. */
static const char *spell(const char *c)
{
    static const struct {
        char c;
        const char *roff;
    } table[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},    {'`', "\\(ga"},
                 {'~', "\\(ti"}, {'^', "\\(ha"}, {GEN_BOLD, "\\fB"}, {GEN_PLAIN, "\\fR"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].c == *c)
            return table[i].roff;
    return NULL;
}

/* n bytes; fresh: a line begins, where a point would be a request. */
static void put(cli_out *out, const char *text, size_t n, int fresh)
{
    for (; n > 0; n--, text++) {
        const char *roff = spell(text);
        cli_out_puts(out, fresh && *text == '.' ? "\\&" : "");
        if (roff)
            cli_out_puts(out, roff);
        else
            cli_out_printf(out, "%c", *text);
        fresh = *text == '\n';
    }
}

void gen_roff_put(cli_out *out, const char *text)
{
    put(out, text, strlen(text), 1);
}

static size_t length(const char *text, size_t n)
{
    size_t all = 0;
    for (; n > 0; n--, text++)
        all += spell(text) ? strlen(spell(text)) : 1;
    return all;
}

/* line_end: what ends all lines but the last. */
static void fill(cli_out *out, const char *text, const char *line_end)
{
    static const char white[] = " \n";
    size_t at = 0; /* in the line */
    for (text += strspn(text, white); *text; text += strspn(text, white)) {
        const size_t n = strcspn(text, white), long_ = length(text, n);
        const int fresh = at == 0 || at + 1 + long_ > LINE;
        if (at)
            cli_out_puts(out, fresh ? line_end : " ");
        put(out, text, n, fresh);
        at = fresh ? long_ : at + 1 + long_;
        text += n;
    }
    cli_out_puts(out, "\n");
}

void gen_roff_fill(cli_out *out, const char *text)
{
    fill(out, text, "\n");
}

/* A name is one line for roff, goes on where that ends in a backslash. */
void gen_roff_item(cli_out *out, const char *name, const char *text)
{
    cli_out_puts(out, ".TP\n");
    fill(out, name, " \\\n");
    gen_roff_fill(out, text);
}
