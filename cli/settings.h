/* settings.h - the library's table of training settings as options of the command line. */
#ifndef HST_CLI_SETTINGS_H
#define HST_CLI_SETTINGS_H
#include "options.h"

size_t cli_settings_count(void);
/* The i-th of them as an option. */
void cli_settings_at(size_t i, cli_option *out);
/* Sets it in v->train. 0, or 2 after one line on standard error. */
int cli_settings_set(const cli_option *o, const char *text, cli_values *v);
/* Its defaults, "fine-tune 32, tutorial 16", in text; NULL: it is a flag. */
const char *cli_settings_standard(const cli_option *o, char text[CLI_TEXT_MAX]);
/* 1: recipe tutorial has it too without fine-tuning. */
int cli_settings_in_tutorial(const cli_option *o);
#endif
