/* graphics.h - graphics cards of this machine, as the system lists them: no driver's library is
 * asked. None of them is used. */
#ifndef HST_CLI_GRAPHICS_H
#define HST_CLI_GRAPHICS_H
#include <stddef.h>

/* Writes the i-th card, "NVIDIA H100 PCIe (0000:41:00.0)", into text[cap]: 1, or 0 past the last.
 * root: in front of all paths, "" for this machine. */
int cli_graphics(const char *root, int i, char *text, size_t cap);
#endif
