/* probe.h - is a processor core ours alone?
 *
 * Where a virtual machine's owner lets somebody else run on the other hyper-thread of our core,
 * vector code slows down by a tenth to a half for seconds, and nothing shows it: no steal time, no
 * second thread in lscpu. What does show it is how many additions the core takes a cycle beside its
 * clock, for the two hyper-threads share the front end. */
#ifndef HST_MEASURING_PROBE_H
#define HST_MEASURING_PROBE_H

/* Scalar additions for each step of a chain of multiplications, whose steps take the same few
 * cycles whoever shares the core. No unit: to be compared with the same processor's at another
 * time. Takes some 50 microseconds. 0: not known on this processor. */
double hst_probe_additions(void);
#endif
