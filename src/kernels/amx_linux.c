/* amx_linux.c - Linux gives a process the registers of tiles when it asks for them (the kernel's
 * Documentation/arch/x86/xstate.rst). */
#include "kernels/tables.h"

#include <sys/syscall.h>
#include <unistd.h>

int hst_amx_permitted(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
