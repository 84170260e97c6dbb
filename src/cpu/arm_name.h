/* arm_name.h - what a CPU is called on ARM, where no instruction tells: from the text of /proc/cpuinfo, on any machine. */
#ifndef LEAT_CPU_ARM_NAME_H
#define LEAT_CPU_ARM_NAME_H

#include <stdio.h>

/* Writes the names of all kinds of cores in `cpuinfo` to name [size], in their order, as many as fit: "Cortex-A55 + Cortex-A76", "Neoverse N1"; numbers
 * where the kind is unknown: "ARM 0x41/0xfff".  Leaves it as it is where the text names none.  Borrows all.  Any thread. */
void leat__arm_name(FILE *cpuinfo, char *name, size_t size);

#endif
