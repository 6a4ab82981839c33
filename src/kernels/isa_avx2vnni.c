/* isa_avx2vnni.c - products in 8 bits with VPDPBUSD on vectors of 8 columns (AVX-VNNI). */
#include "kernels/int8_avx2.h"
#include "kernels/tables.h"

#define Q_DOT(s, x, w) (qints) _mm256_dpbusd_avx_epi32((__m256i)(s), (__m256i)(x), (__m256i)(w))
#include "kernels/int8_body.h"

const hst_products hst_products_avx2vnni = Q_PRODUCTS("avx2vnni", 1);
