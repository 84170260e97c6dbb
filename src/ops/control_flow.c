/* control_flow.c - rows of the operators that hold graphs; the graph room runs them (exec_control.c).
 *
 * Their output dims are never known before they run.  Both fixed inputs of Loop (trip count, condition) may be absent.
 */
#include "ops/op.h"

static int infer_at_run_time(leat_op_call *call) { return LEAT_EDYNAMIC; }

/* Never called: the executor sees LEAT_OP_CONTROL first. */
static int run_elsewhere(leat_op_call *call) { return leat__op_fail(call, LEAT_EINTERNAL, "control flow outside an executor"); }

#define CONTROL(NAME, SINCE, MIN_IN) \
    {"", NAME, SINCE, 0, MIN_IN, -1, 1, -1, LEAT_OP_CONTROL | LEAT_OP_NONDET, LEAT_OP_PLAIN, 0, infer_at_run_time, NULL, run_elsewhere}

const leat_op leat__ops_control_flow[] = {CONTROL("If", 1, 1), CONTROL("Loop", 1, 0), CONTROL("Scan", 9, 1), {0}};
