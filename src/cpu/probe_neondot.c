/* probe_neondot.c - peak of the 8-bit dot-product instruction. */
#include "cpu/probe.h"

#define DOT vdotq_s32
#include "cpu/probe_dot_neon.h"

void leat__probe_fill_neondot(leat_probe *probe) {
    probe->int8 = int8_rounds;
    probe->int8_ops = 2 * 16 * CHAINS;
}
