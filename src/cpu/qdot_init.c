/* qdot_init.c - the table of the kernels for few tokens. */
#include "cpu/qdot.h"

leat_qdot_kernels leat__qdot;

void leat__qdot_init(leat_isa level) {
    leat__qdot_fill_ref(&leat__qdot);
}
