/* lm_rows_init.c - dispatch table of the rows of a language model. */
#include "cpu/cpu.h"
#include "cpu/lm_rows.h"

leat_lm_rows leat__lm_rows;

void leat__lm_rows_init(leat_isa level) {
    (void)level;
    leat__lm_rows_fill_ref(&leat__lm_rows);
}
