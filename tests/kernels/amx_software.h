/* amx_software.h - AMX's products on any machine. */
#ifndef HST_TESTS_KERNELS_AMX_SOFTWARE_H
#define HST_TESTS_KERNELS_AMX_SOFTWARE_H
#include "kernels/kernels.h"

extern const hst_products amx_software, amx_software8;
#endif
