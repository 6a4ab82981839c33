#include "graphics.h"

#include "text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 1024, LINE_CAP = 512 };

/* The first line of a file, or the one that begins with key, without it; 0: none. */
static int read_line(const char *path, const char *key, char line[LINE_CAP])
{
    const size_t n = strlen(key);
    char raw[LINE_CAP];
    FILE *f = fopen(path, "r");
    int found = 0;
    while (f && !found && fgets(raw, sizeof raw, f))
        found = strncmp(raw, key, n) == 0;
    if (f)
        fclose(f);
    if (!found)
        return 0;
    const char *text = raw + n + strspn(raw + n, " \t");
    snprintf(line, LINE_CAP, "%.*s", (int)strcspn(text, "\r\n"), text);
    return 1;
}

/* A hexadecimal number of a device's folder; 0: there is none. */
static unsigned long number_of(const char *root, const char *device, const char *name)
{
    char path[PATH_CAP], line[LINE_CAP];
    snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%s/%s", root, device, name);
    return read_line(path, "", line) ? strtoul(line, NULL, 16) : 0;
}

/* Of pci.ids: a vendor's line has no indent, its devices' have one. 0: the list is not here, or
 * does not know it. */
static int look_up(const char *root, unsigned long vendor, unsigned long device,
                   char name[LINE_CAP])
{
    static const char *const lists[] = {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"};
    char path[PATH_CAP], key[16], line[LINE_CAP];
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        int inside = 0, found = 0;
        snprintf(path, sizeof path, "%s%s", root, lists[i]);
        FILE *f = fopen(path, "r");
        while (f && !found && fgets(line, sizeof line, f)) {
            if (line[0] != '\t' && line[0] != '#')
                inside = strtoul(line, NULL, 16) == vendor;
            snprintf(key, sizeof key, "\t%04lx  ", device);
            found = inside && strncmp(line, key, strlen(key)) == 0;
        }
        if (f)
            fclose(f);
        if (found) {
            const char *text = line + strlen(key);
            snprintf(name, LINE_CAP, "%.*s", (int)strcspn(text, "\r\n"), text);
            return 1;
        }
    }
    return 0;
}

static const char *vendor_name(unsigned long vendor)
{
    static const struct {
        unsigned long number;
        const char *name;
    } names[] = {{0x10de, "NVIDIA"}, {0x1002, "AMD"}, {0x8086, "Intel"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == vendor)
            return names[i].name;
    return NULL;
}

/* Display controllers, and accelerators of those who make them; cards that a virtual machine or a
 * server's management makes up have other makers. */
static int is_card(const char *root, const char *device, unsigned long vendor)
{
    const unsigned long class = number_of(root, device, "class") >> 16;
    return (class == 0x03 || class == 0x12) && vendor_name(vendor);
}

static void describe(const char *root, const char *device, unsigned long vendor, char *text,
                     size_t cap)
{
    char path[PATH_CAP], model[LINE_CAP], raw[2 * LINE_CAP];
    const unsigned long number = number_of(root, device, "device");
    snprintf(path, sizeof path, "%s/proc/driver/nvidia/gpus/%s/information", root, device);
    if (!read_line(path, "Model:", model) && !look_up(root, vendor, number, model))
        snprintf(model, sizeof model, "%04lx", number);
    const char *name = vendor_name(vendor);
    const int named = strncmp(model, name, strlen(name)) == 0;
    snprintf(raw, sizeof raw, "%s%s%s (%s)", named ? "" : name, named ? "" : " ", model, device);
    cli_text_clean(text, cap, raw);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int cli_graphics(const char *root, int i, char *text, size_t cap)
{
    char path[PATH_CAP];
    struct dirent **device = NULL;
    int found = 0;
    snprintf(path, sizeof path, "%s/sys/bus/pci/devices", root);
    const int n = scandir(path, &device, NULL, by_name);
    for (int k = 0; k < n; k++) {
        const char *name = device[k]->d_name;
        const unsigned long vendor = name[0] == '.' ? 0 : number_of(root, name, "vendor");
        if (!found && is_card(root, name, vendor) && i-- == 0) {
            describe(root, name, vendor, text, cap);
            found = 1;
        }
        free(device[k]);
    }
    free(device);
    return found;
}
