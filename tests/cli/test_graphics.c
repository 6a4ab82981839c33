/* Graphics cards as Linux lists them, in a made-up tree of its files. */
#include "graphics.h"
#include "support.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(const char *root, const char *path, const char *text)
{
    char full[4096];
    hst_err err = {0};
    snprintf(full, sizeof full, "%s/%s", root, path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    check_ok(hst_mkdirs(full, &err), &err);
    *slash = '/';
    check_ok(hst_file_write(full, text, strlen(text), &err), &err);
}

static void put_device(const char *root, const char *name, const char *const numbers[3])
{
    static const char *const files[] = {"class", "vendor", "device"};
    for (int i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/%s", name, files[i]);
        put(root, path, numbers[i]);
    }
}

static void cards_are_found_and_named(void **state)
{
    (void)state;
    char *root = temporary_folder(), card[256];
    assert_false(cli_graphics(root, 0, card, sizeof card)); /* no such folder */
    put_device(root, "0000:00:02.0", (const char *const[]){"0x030000\n", "0x8086\n", "0x9a49\n"});
    put_device(root, "0000:00:03.0", (const char *const[]){"0x020000\n", "0x8086\n", "0x1234\n"});
    put_device(root, "0000:01:00.0", (const char *const[]){"0x030200\n", "0x10de\n", "0x2331\n"});
    put_device(root, "0000:02:00.0", (const char *const[]){"0x120000\n", "0x1002\n", "0x74a1\n"});
    put_device(root, "0000:03:00.0", (const char *const[]){"0x030000\n", "0x1a03\n", "0x2000\n"});
    put(root, "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H100 PCIe\nIRQ: 1\n");
    put(root, "usr/share/misc/pci.ids",
        "# list\n1002  AMD\n\t74a0  Other\n\t74a1  Instinct\x1b MI300X\n\t\t1002 74a1  Sub\n"
        "8086  Intel\n\t0001  None\n");
    assert_true(cli_graphics(root, 0, card, sizeof card));
    assert_string_equal(card, "Intel 9a49 (0000:00:02.0)");
    assert_true(cli_graphics(root, 1, card, sizeof card));
    assert_string_equal(card, "NVIDIA H100 PCIe (0000:01:00.0)");
    assert_true(cli_graphics(root, 2, card, sizeof card));
    assert_string_equal(card, "AMD Instinct? MI300X (0000:02:00.0)");
    assert_false(cli_graphics(root, 3, card, sizeof card)); /* not that of the management */
    remove_tree(root);
    free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cards_are_found_and_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
