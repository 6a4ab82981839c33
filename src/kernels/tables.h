/* tables.h - every table there may be; which are compiled in, the build decides
 * (present_<machine>.c). */
#ifndef HST_KERNELS_TABLES_H
#define HST_KERNELS_TABLES_H
#include "kernels/kernels.h"

extern const hst_kernels hst_kernels_portable, hst_kernels_avx2, hst_kernels_avx2vnni,
    hst_kernels_avx512, hst_kernels_avx512vnni, hst_kernels_avx512bf16, hst_kernels_amx,
    hst_kernels_neon, hst_kernels_neondot, hst_kernels_neonbf16;
/* Products that some of them have. */
extern const hst_products hst_products_avx512bf16, hst_products_amx, hst_products_neonbf16;
extern const hst_products hst_products_int8_plain, hst_products_avx2int8, hst_products_avx2vnni,
    hst_products_avx512vnni, hst_products_amxint8, hst_products_neondot;

/* Whether the operating system lets this process use AMX's tiles, which it then asks for; whether
 * it says that the processor has Arm's products in bf16, its dot products of bytes. */
int hst_amx_permitted(void);
int hst_arm_has_bf16(void);
int hst_arm_has_dot(void);

typedef struct hst_kernels_choice {
    const hst_kernels *table;
    int (*usable)(void); /* the processor has it and the operating system saves its registers */
} hst_kernels_choice;

/* Best last; the first one runs anywhere. Ended by a NULL table. */
extern const hst_kernels_choice hst_kernels_present[];
#endif
