/* kernels: the cases of cases.c on every instruction set this machine can run; choosing a table. */
#include "support.h"

#include "amx_software.h"
#include "cases.h"

#include <string.h>

static void run_case(void **state)
{
    const kernel_case *c = *state;
    int usable;
    for (int i = 0; hst_kernels_name(i, &usable); i++) {
        if (!usable)
            print_message("not on this machine: %s\n", hst_kernels_name(i, NULL));
        else
            assert_int_equal(c->check(hst_kernels_find(hst_kernels_name(i, NULL))), 0);
    }
}

static void tables_are_found_by_name(void **state)
{
    (void)state;
    const hst_kernels *last = NULL;
    int usable;
    assert_string_equal(hst_kernels_name(0, &usable), "portable");
    assert_true(usable);
    for (int i = 0; hst_kernels_name(i, &usable); i++) {
        const hst_kernels *k = hst_kernels_find(hst_kernels_name(i, NULL));
        assert_int_equal(k != NULL, usable);
        if (usable)
            assert_string_equal(k->name, hst_kernels_name(i, NULL));
        last = usable ? k : last;
    }
    assert_ptr_equal(hst_kernels_best(), last);
    assert_null(hst_kernels_find("mmx"));
    assert_null(hst_kernels_find(""));
    assert_null(hst_kernels_name(-1, NULL));
    assert_null(hst_kernels_name(100, NULL));
}

static void amx_in_software(void **state)
{
    (void)state;
    hst_kernels k = *hst_kernels_find("portable");
    k.name = "amx in software";
    k.products[HST_PRECISION_BF16] = &amx_software;
    k.products[HST_PRECISION_INT8] = &amx_software8;
    assert_int_equal(int8_products(&k), 0);
    assert_int_equal(int8_odd(&k), 0);
    assert_int_equal(low_rounding(&k), 0);
    assert_int_equal(low_products(&k), 0);
    assert_int_equal(low_odd(&k), 0);
    assert_int_equal(low_matrices(&k), 0);
}

int main(void)
{
    enum { MAX = 32 };
    struct CMUnitTest tests[MAX] = {cmocka_unit_test(tables_are_found_by_name),
                                    cmocka_unit_test(amx_in_software)};
    size_t n = 2;
    for (const kernel_case *c = kernel_cases; c->name; c++) {
        if (n == MAX)
            return 1; /* a case that would be left out */
        tests[n++] = (struct CMUnitTest){c->name, run_case, NULL, NULL, (void *)c};
    }
    return _cmocka_run_group_tests("kernels", tests, n, NULL, NULL);
}
