/* exec.c - running a bound plan, step by step (contract in plan.h).
 *
 * A static step is one indirect call.  A dynamic step first gets its dims: infer and prepare are repeated only when an input's dims
 * changed or the operator reads values to know its shape; its buffers grow and are kept, so a steady stream allocates nothing.
 */
#include "graph/plan.h"

#include <string.h>

#include "base/clock.h"

enum { LEAST_BYTES = 64 };

/* ---- buffers of dynamic values ------------------------------------------------------------------------------------------- */

int leat__exec_reserve(leat_exec *exec, int32_t id, int keep_content) {
    leat_plan   *plan = exec->plan;
    leat_tensor *tensor = &plan->trace.tensors[id];
    size_t       bytes = leat_tensor_bytes(tensor);
    if (bytes == SIZE_MAX || bytes > plan->trace.max_bytes)
        return leat__fail(exec->error, LEAT_ELIMIT, "a value of graph '%s' exceeds the limit of %llu bytes", plan->trace.graph->name,
                          (unsigned long long)plan->trace.max_bytes);
    if (plan->capacity[id] && plan->capacity[id] >= bytes) return LEAT_OK;
    size_t room = bytes + bytes / 2 < LEAST_BYTES ? LEAST_BYTES : bytes + bytes / 2;
    void  *old = plan->capacity[id] ? tensor->data : NULL;
    void  *data = keep_content && old ? leat__realloc(old, room, LEAT_MEMORY_ARENA) : leat__alloc(room, LEAT_MEMORY_ARENA);
    if (!data) return leat__fail(exec->error, LEAT_ENOMEM, "out of memory for a value of %zu bytes", bytes);
    if (old && !keep_content) leat__free(old);
    plan->dynamic_bytes += room - plan->capacity[id];
    plan->capacity[id] = room;
    tensor->data = data;
    return LEAT_OK;
}

int leat__exec_assign(leat_exec *exec, int32_t id, const leat_tensor *src) {
    leat_tensor *tensor = &exec->plan->trace.tensors[id];
    uint32_t     flags = tensor->flags;
    if (tensor->data == src->data && tensor->data) return LEAT_OK;
    leat__tensor_set(tensor, src->dtype, src->rank, src->dims);
    tensor->flags = flags;
    int status = leat__exec_reserve(exec, id, 0);
    if (status == LEAT_OK && leat_tensor_bytes(src)) memcpy(tensor->data, src->data, leat_tensor_bytes(src));
    return status;
}

/* ---- dynamic steps ------------------------------------------------------------------------------------------------------- */

/* Compares the inputs' dims with those of the last prepare and remembers them; 1 = the same. */
static int dims_unchanged(leat_step *step) {
    int same = step->dynamic->prepared;
    for (int i = 0; i < step->call.n_in; i++) {
        const leat_tensor *in = step->call.in[i];
        int64_t           *seen = step->dynamic->in_dims + (size_t)i * (1 + LEAT_MAX_RANK);
        if (!in) continue;
        if (seen[0] != in->rank || memcmp(seen + 1, in->dims, (size_t)in->rank * sizeof(int64_t)) != 0) same = 0;
        seen[0] = in->rank;
        memcpy(seen + 1, in->dims, (size_t)in->rank * sizeof(int64_t));
    }
    return same;
}

static uint64_t out_dims_hash(const leat_op_call *call) {
    uint64_t hash = 1469598103934665603u;
    for (int o = 0; o < call->n_out; o++) {
        if (!call->out[o]) continue;
        hash = (hash ^ (uint64_t)call->out[o]->rank) * 1099511628211u;
        for (int d = 0; d < call->out[o]->rank; d++) hash = (hash ^ (uint64_t)call->out[o]->dims[d]) * 1099511628211u;
    }
    return hash;
}

static int shape_step(leat_exec *exec, leat_step *step) {
    int same = dims_unchanged(step);
    if (same && !step->call.op->value_inputs) return LEAT_OK;
    uint64_t before = out_dims_hash(&step->call);
    int      prepared = step->dynamic->prepared;
    step->dynamic->prepared = 0;
    int status = leat__step_infer(step, exec->error);
    if (status == LEAT_EDYNAMIC)
        return leat__fail(exec->error, LEAT_EINTERNAL, "node '%s' (%s): shape unknown although all inputs are there", step->node->name,
                          step->node->op_type);
    if (status == LEAT_OK && !(same && prepared && before == out_dims_hash(&step->call))) {
        leat__arena_fini(&step->dynamic->arena);
        leat__arena_init(&step->dynamic->arena, LEAT_MEMORY_PLAN);
        status = leat__step_prepare(step, &step->dynamic->arena, exec->error);
    }
    step->dynamic->prepared = status == LEAT_OK;
    return status;
}

static int reserve_scratch(leat_exec *exec, leat_op_call *call) {
    leat_plan *plan = exec->plan;
    if (call->scratch_bytes > plan->dynamic_scratch_bytes) {
        void *larger = leat__alloc(call->scratch_bytes, LEAT_MEMORY_ARENA);
        if (!larger) return leat__fail(exec->error, LEAT_ENOMEM, "out of memory for %zu bytes of scratch", call->scratch_bytes);
        leat__free(plan->dynamic_scratch);
        plan->dynamic_scratch = larger;
        plan->dynamic_scratch_bytes = call->scratch_bytes;
    }
    call->scratch = plan->dynamic_scratch;
    return LEAT_OK;
}

static int run_call(leat_exec *exec, leat_op_call *call) {
    call->error = exec->error;
    int status = call->op->run(call);
    call->error = NULL;
    return status;
}

static int run_dynamic(leat_exec *exec, leat_step *step) {
    if (step->node->op->flags & LEAT_OP_CONTROL) return leat__exec_control(exec, step);
    int status = shape_step(exec, step);
    for (int o = 0; o < step->call.n_out && status == LEAT_OK; o++)
        if (step->call.out[o]) status = leat__exec_reserve(exec, step->node->out[o]->id, 0);
    if (status == LEAT_OK) status = reserve_scratch(exec, &step->call);
    return status == LEAT_OK ? run_call(exec, &step->call) : status;
}

/* ---- steps --------------------------------------------------------------------------------------------------------------- */

static void account(leat_step *step, int64_t start) {
    int64_t took = leat__now_ns() - start;
    step->last_start_ns = start;
    step->last_ns = took;
    step->total_ns += took;
    if (step->runs == 0 || took < step->min_ns) step->min_ns = took;
    step->runs++;
}

int leat__exec_block(leat_exec *exec, leat_block *block) {
    for (int s = 0; s < block->n_steps; s++) {
        leat_step *step = &block->steps[s];
        if (step->kind == LEAT_STEP_FOLDED) continue;
        if (atomic_load_explicit(exec->cancel, memory_order_relaxed))
            return leat__fail(exec->error, LEAT_ECANCELLED, "cancelled before node '%s'", step->node->name);
        int64_t start = exec->profile ? leat__now_ns() : 0;
        int     status = step->kind == LEAT_STEP_STATIC ? run_call(exec, &step->call) : run_dynamic(exec, step);
        if (status != LEAT_OK) return status;
        if (exec->profile) account(step, start);
    }
    return LEAT_OK;
}

int leat__exec_run(leat_exec *exec) { return leat__exec_block(exec, &exec->plan->trace.root); }
