/* probe_neoni8mm.c - peak of the 8-bit matrix-product instruction. */
#include "cpu/probe.h"

#define DOT vmmlaq_s32
#include "cpu/probe_dot_neon.h"

void leat__probe_fill_neoni8mm(leat_probe *probe) {
    probe->int8 = int8_rounds;
    probe->int8_ops = 2 * 32 * CHAINS;
}
