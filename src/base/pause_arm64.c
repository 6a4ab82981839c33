#include "base/executor.h"

/* `yield` does nothing on most processors; `isb` waits nearly as x86's `pause` does, for which the
 * numbers of spins are chosen (Rust's core::hint::spin_loop takes it for that reason). */
void hst_pause(void)
{
    __asm__ volatile("isb");
}
