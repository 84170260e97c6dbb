/* node_eval.c - one node, on its own (contract in node_eval.h).
 *
 * Packed weights and state live in a list of blocks that goes away with the call; only the outputs stay, in the caller's arena.
 */
#include "graph/node_eval.h"
#include "graph/onnx_import.h"

#include <string.h>

#define MAX_PORTS 64 /* inputs or outputs of a node that is evaluated here: larger ones are left to the executor */

typedef struct block {
    struct block *next;
    uint8_t       pad[LEAT_ALIGN - sizeof(struct block *)]; /* what follows keeps the alignment */
} block;

/* Memory of one evaluation. */
typedef struct workspace {
    block *blocks;
} workspace;

static void *workspace_take(workspace *ws, size_t bytes) {
    size_t total;
    if (leat__add_overflows(bytes, sizeof(block), &total)) return NULL;
    block *b = leat__calloc(1, total, LEAT_MEMORY_GRAPH);
    if (!b) return NULL;
    b->next = ws->blocks;
    ws->blocks = b;
    return b + 1;
}

static void workspace_release(workspace *ws) {
    while (ws->blocks) {
        block *next = ws->blocks->next;
        leat__free(ws->blocks);
        ws->blocks = next;
    }
}

static const void *eval_pack(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *, void *),
                             void *arg) {
    void *packed = workspace_take(call->owner, bytes);
    if (packed) fill(packed, arg);
    return packed;
}

static void *eval_state(leat_op_call *call, size_t bytes) {
    return workspace_take(call->owner, bytes);
}

static const leat_op_services services = {.pack = eval_pack, .state = eval_state};

static int allocate_outputs(leat_op_call *call, leat_arena *arena, size_t max_bytes) {
    size_t total = 0;
    for (int o = 0; o < call->n_out; o++) {
        if (!call->out[o]) continue;
        size_t bytes = leat_tensor_bytes(call->out[o]);
        if (bytes == SIZE_MAX || leat__add_overflows(total, bytes, &total) || total > max_bytes)
            return leat__op_fail(call, LEAT_ELIMIT, "result too large to be computed at load");
    }
    for (int o = 0; o < call->n_out; o++) {
        if (!call->out[o]) continue;
        size_t bytes = leat_tensor_bytes(call->out[o]);
        call->out[o]->data = leat__arena_alloc_aligned(arena, bytes);
        if (!call->out[o]->data) return leat__op_fail(call, LEAT_ENOMEM, "out of memory (%zu bytes)", bytes);
        memset(call->out[o]->data, 0, bytes);
    }
    return LEAT_OK;
}

/* The graph, not the operator, decides how results are stored. */
static void set_layouts(const leat_node *node, leat_op_call *call) {
    for (int o = 0; o < call->n_out; o++)
        if (call->out[o]) call->out[o]->flags = node->out[o]->nhwc ? LEAT_TENSOR_NHWC : 0;
}

static int eval_call(const leat_node *node, leat_op_call *call, leat_arena *arena, size_t max_bytes) {
    const leat_op *op = call->op;
    set_layouts(node, call);
    int status = op->infer(call);
    set_layouts(node, call);
    if (status == LEAT_OK) status = allocate_outputs(call, arena, max_bytes);
    if (status == LEAT_OK && op->prepare) status = op->prepare(call);
    if (status == LEAT_OK && call->scratch_bytes) {
        call->scratch = workspace_take(call->owner, call->scratch_bytes);
        if (!call->scratch) status = leat__op_fail(call, LEAT_ENOMEM, "out of memory (%zu bytes of scratch)", call->scratch_bytes);
    }
    return status == LEAT_OK ? op->run(call) : status;
}

int leat__node_eval(const leat_node *node, leat_tensor *const *in, leat_tensor *out, leat_arena *arena, size_t max_bytes,
                    leat_error *error) {
    leat_tensor *ins[MAX_PORTS], *outs[MAX_PORTS];
    uint8_t      in_const[MAX_PORTS] = {0};
    if (!node->op || (node->op->flags & LEAT_OP_CONTROL) || node->n_in > MAX_PORTS || node->n_out > MAX_PORTS)
        return leat__fail(error, LEAT_EUNSUPPORTED, "%s '%s': cannot be computed at load", node->op_type, node->name);
    for (int i = 0; i < node->n_in; i++) {
        if (in[i] && leat__onnx_settle(in[i], arena, error) != LEAT_OK) return LEAT_ENOMEM;
        ins[i] = in[i];
        in_const[i] = in[i] && in[i]->data;
    }
    for (int o = 0; o < node->n_out; o++) {
        outs[o] = node->out[o] ? &out[o] : NULL;
        if (outs[o]) *outs[o] = (leat_tensor){0};
    }
    workspace    ws = {0};
    leat_op_call call = {.op = node->op, .attrs = &node->attrs, .name = node->name, .opset = node->opset, .n_in = node->n_in,
                         .n_out = node->n_out, .in = ins, .out = outs, .in_const = in_const, .threads = 1,
                         .services = &services, .owner = &ws, .error = error};
    int status = eval_call(node, &call, arena, max_bytes);
    workspace_release(&ws);
    return status;
}
