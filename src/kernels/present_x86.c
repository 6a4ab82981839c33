/* present_x86.c - x86-64: what is compiled in, and whether this processor and operating system can
 * run it. */
#include "kernels/tables.h"

#include <cpuid.h>
#include <stdint.h>

/* Bits of CPUID and XCR0: Intel Software Developer's Manual, volume 2 (CPUID) and volume 1, 13.3.
 */
enum {
    LEAF1_ECX_FMA = 1 << 12,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF1_ECX_AVX = 1 << 28,
    LEAF7_EBX_AVX2 = 1 << 5,
    LEAF7_EDX_AMX = 1 << 22 | 1 << 24 | 1 << 25, /* BF16, TILE, INT8 */
    LEAF7_ECX_VNNI = 1 << 11,
    LEAF71_EAX_AVX_VNNI = 1 << 4,
    LEAF71_EAX_BF16 = 1 << 5,
    XCR0_TILES = 3 << 17, /* TILECFG, TILEDATA */
    XCR0_SSE_AVX = 0x06,  /* XMM and upper YMM state */
    XCR0_AVX512 = 0xe0,   /* opmask, upper ZMM, ZMM16-31 */
};

/* AVX-512 with its narrower vectors (VL), which came with the second processor that had it. */
static const uint32_t leaf7_ebx_avx512f_vl = UINT32_C(1) << 16 | UINT32_C(1) << 31;
static const uint32_t leaf7_ebx_avx512bw = UINT32_C(1) << 30;

/* Which register state the operating system saves at a task switch. */
static uint32_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has(uint32_t leaf1_ecx, uint32_t leaf7_ebx, uint32_t state)
{
    uint32_t a, b, c, d;
    leaf1_ecx |= LEAF1_ECX_OSXSAVE;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1_ecx) != leaf1_ecx)
        return 0;
    if ((xcr0() & state) != state)
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & leaf7_ebx) == leaf7_ebx;
}

/* Whether CPUID leaf 7, subleaf 1 has all bits of eax. */
static int has_further(uint32_t eax)
{
    uint32_t a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & eax) == eax;
}

static int always(void)
{
    return 1;
}

static int avx2(void)
{
    return has(LEAF1_ECX_FMA | LEAF1_ECX_AVX, LEAF7_EBX_AVX2, XCR0_SSE_AVX);
}

static int avx512(void)
{
    return avx2() && has(0, leaf7_ebx_avx512f_vl, XCR0_SSE_AVX | XCR0_AVX512);
}

static int avx2vnni(void)
{
    return avx2() && has_further(LEAF71_EAX_AVX_VNNI);
}

static int avx512vnni(void)
{
    uint32_t a, b, c, d;
    return avx512() && has(0, leaf7_ebx_avx512bw, XCR0_SSE_AVX) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & LEAF7_ECX_VNNI) == LEAF7_ECX_VNNI;
}

static int avx512bf16(void)
{
    return avx512vnni() && has_further(LEAF71_EAX_BF16);
}

static int amx(void)
{
    uint32_t a, b, c, d;
    return avx512bf16() && (xcr0() & XCR0_TILES) == XCR0_TILES &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & LEAF7_EDX_AMX) == LEAF7_EDX_AMX &&
           hst_amx_permitted();
}

const hst_kernels_choice hst_kernels_present[] = {{&hst_kernels_portable, always},
                                                  {&hst_kernels_avx2, avx2},
                                                  {&hst_kernels_avx2vnni, avx2vnni},
                                                  {&hst_kernels_avx512, avx512},
                                                  {&hst_kernels_avx512vnni, avx512vnni},
                                                  {&hst_kernels_avx512bf16, avx512bf16},
                                                  {&hst_kernels_amx, amx},
                                                  {NULL, NULL}};
