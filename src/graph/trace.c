/* trace.c - shape tracing and plan-time folding (contract in trace.h). */
#include "graph/trace.h"

#include <string.h>

enum { FOLD_LIMIT_BYTES = 1 << 20 };

/* ---- services for operators -------------------------------------------------------------------------------------------- */

/* The constant input whose data, or aligned copy, is `key`; as the graph has it, since copies come and go but that one stays. */
static const leat_tensor *constant_of(leat_step *step, const void *key) {
    const leat_op_call *call = &step->call;
    for (int i = 0; i < call->n_in; i++)
        if (call->in[i] && call->in[i]->data == key && call->in_const[i]) {
            if (i < LEAT_STEP_PACKED_BITS) step->packed |= UINT64_C(1) << i;
            return step->node->in[i]->constant;
        }
    return NULL;
}

static const void *serve_pack(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *block, void *arg),
                              void *arg) {
    leat_step         *step = call->owner;
    const leat_tensor *source = constant_of(step, key);
    if (step->trace->packs && source)
        return leat__packs_get(step->trace->packs, call->op, source->data, source, variant, bytes, fill, arg);
    void *block = leat__arena_alloc_aligned(step->state_arena, bytes);
    if (block) fill(block, arg);
    return block;
}

static void *serve_state(leat_op_call *call, size_t bytes) {
    leat_step *step = call->owner;
    void      *block = leat__arena_alloc_aligned(step->state_arena, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

static const leat_op_services services = {.pack = serve_pack, .state = serve_state};

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static int id_count(const leat_graph *graph, int most) {
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i]->id >= most) most = graph->values[i]->id + 1;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n; a++)
            if (graph->nodes[n]->attrs.list[a].type == LEAT_ATTR_GRAPH) most = id_count(graph->nodes[n]->attrs.list[a].graph, most);
    return most;
}

int leat__graph_id_count(const leat_graph *root) { return id_count(root, 0); }

/* Sets up the tensors of a graph's own values: constants are known, the rest is not. */
static void seed_values(leat_trace *trace, const leat_graph *graph) {
    for (int i = 0; i < graph->n_values; i++) {
        const leat_value *value = graph->values[i];
        leat_tensor      *tensor = &trace->tensors[value->id];
        if (value->constant) {
            *tensor = *value->constant;
            trace->known[value->id] = LEAT_KNOWN_DATA;
        }
        tensor->flags = (value->nhwc ? LEAT_TENSOR_NHWC : 0) | (tensor->flags & LEAT_TENSOR_UNALIGNED);
    }
}

static int make_call(leat_trace *trace, leat_step *step, const leat_node *node) {
    leat_op_call *call = &step->call;
    uint8_t      *in_const = leat__arena_calloc(&trace->arena, (size_t)node->n_in + 1, 1);
    call->in = leat__arena_calloc(&trace->arena, (size_t)node->n_in + 1, sizeof *call->in);
    call->out = leat__arena_calloc(&trace->arena, (size_t)node->n_out + 1, sizeof *call->out);
    if (!in_const || !call->in || !call->out) return LEAT_ENOMEM;
    for (int i = 0; i < node->n_in; i++) {
        call->in[i] = node->in[i] ? &trace->tensors[node->in[i]->id] : NULL;
        in_const[i] = node->in[i] && node->in[i]->constant;
    }
    for (int o = 0; o < node->n_out; o++) call->out[o] = node->out[o] ? &trace->tensors[node->out[o]->id] : NULL;
    call->in_const = in_const;
    call->op = node->op;
    call->attrs = &node->attrs;
    call->name = node->name;
    call->opset = node->opset;
    call->n_in = node->n_in;
    call->n_out = node->n_out;
    call->pool = trace->pool;
    call->threads = trace->threads;
    call->services = &services;
    call->owner = step;
    step->node = node;
    step->trace = trace;
    step->state_arena = &trace->arena;
    return LEAT_OK;
}

int leat__step_infer(leat_step *step, leat_error *error) {
    leat_op_call *call = &step->call;
    for (int o = 0; o < call->n_out; o++)
        if (call->out[o]) call->out[o]->flags = step->node->out[o]->nhwc ? LEAT_TENSOR_NHWC : 0;
    call->error = error;
    int status = call->op->infer(call);
    call->error = NULL;
    if (status != LEAT_OK) return status;
    for (int o = 0; o < call->n_out; o++) {
        leat_tensor *out = call->out[o];
        if (!out) continue;
        out->flags = step->node->out[o]->nhwc ? LEAT_TENSOR_NHWC : 0;
        size_t bytes = leat_tensor_bytes(out);
        if (bytes == SIZE_MAX || bytes > step->trace->max_bytes)
            return leat__fail(error, LEAT_ELIMIT, "node '%s' (%s): output %d is larger than the limit of %llu bytes", step->node->name,
                              step->node->op_type, o, (unsigned long long)step->trace->max_bytes);
    }
    return LEAT_OK;
}

/* ---- constants that lie unaligned in the file -------------------------------------------------------------------------- */

/* A copy that ends with the trace when there is no table of packs, else one that settle_inputs() decides about. */
static void *aligned_copy(leat_step *step, const leat_tensor *in) {
    size_t bytes = leat_tensor_bytes(in);
    void  *copy = step->trace->packs ? leat__alloc(bytes, LEAT_MEMORY_WEIGHTS) : leat__arena_alloc_aligned(&step->trace->arena, bytes);
    if (copy) memcpy(copy, in->data, bytes);
    return copy;
}

/* prepare sees aligned data: a copy that the model has already, or a new one. */
static int align_inputs(leat_step *step, leat_error *error) {
    for (int i = 0; i < step->call.n_in; i++) {
        leat_tensor *in = step->call.in[i];
        if (!in || !(in->flags & LEAT_TENSOR_UNALIGNED)) continue;
        void *copy = step->trace->packs ? leat__packs_find_copy(step->trace->packs, in->data) : NULL;
        if (!copy) copy = aligned_copy(step, in);
        if (!copy) return leat__fail(error, LEAT_ENOMEM, "node '%s': out of memory for aligned weights", step->node->name);
        in->data = copy;
        in->flags &= ~LEAT_TENSOR_UNALIGNED;
    }
    return LEAT_OK;
}

/* A weight that prepare packed is not read in run: its new copy goes at once.  Others stay with the model, for all plans. */
static int settle_inputs(leat_step *step) {
    leat_packs *packs = step->trace->packs;
    int         status = LEAT_OK;
    for (int i = 0; i < step->call.n_in && packs; i++) {
        leat_tensor       *in = step->call.in[i];
        const leat_tensor *constant = step->node->in[i] ? step->node->in[i]->constant : NULL;
        if (!constant || !(constant->flags & LEAT_TENSOR_UNALIGNED) || in->data == constant->data) continue;
        if (leat__packs_find_copy(packs, constant->data) == in->data) continue;
        if (i < LEAT_STEP_PACKED_BITS && (step->packed >> i & 1)) {
            leat__free(in->data);
            in->data = constant->data;
            in->flags |= LEAT_TENSOR_UNALIGNED;
        } else if (leat__packs_keep_copy(packs, constant, in->data) != LEAT_OK) {
            status = LEAT_ENOMEM;
        }
    }
    step->packed = 0;
    return status;
}

static int call_prepare(leat_step *step, leat_arena *arena, leat_error *error);

int leat__step_prepare(leat_step *step, leat_arena *arena, leat_error *error) {
    int status = align_inputs(step, error);
    if (status == LEAT_OK) status = call_prepare(step, arena, error);
    int settled = settle_inputs(step);
    return status == LEAT_OK ? settled : status;
}

static int call_prepare(leat_step *step, leat_arena *arena, leat_error *error) {
    leat_op_call *call = &step->call;
    step->state_arena = arena;
    call->state = NULL;
    call->scratch_bytes = 0;
    call->kernel = NULL;
    call->macs = 0;
    if (!call->op->prepare) return LEAT_OK;
    call->error = error;
    int status = call->op->prepare(call);
    call->error = NULL;
    if (status == LEAT_EDYNAMIC)
        return leat__fail(error, LEAT_EINTERNAL, "node '%s' (%s): prepare asked for data", step->node->name, step->node->op_type);
    return status;
}

/* ---- the walk ------------------------------------------------------------------------------------------------------------- */

static int inputs_known(const leat_trace *trace, const leat_node *node, leat_known least) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] && trace->known[node->in[i]->id] < least) return 0;
    return 1;
}

static int may_fold(const leat_trace *trace, const leat_step *step) {
    const leat_node *node = step->node;
    if (node->op->flags & (LEAT_OP_NONDET | LEAT_OP_CONTROL)) return 0;
    leat_known least = node->op->flags & LEAT_OP_SHAPE_ONLY ? LEAT_KNOWN_DIMS : LEAT_KNOWN_DATA;
    if (!inputs_known(trace, node, least)) return 0;
    size_t sum = 0;
    for (int o = 0; o < node->n_out; o++)
        if (step->call.out[o]) sum += leat_tensor_bytes(step->call.out[o]);
    return sum <= FOLD_LIMIT_BYTES;
}

/* Computes the outputs now, into the trace's arena. */
static int fold(leat_trace *trace, leat_step *step, leat_error *error) {
    leat_op_call *call = &step->call;
    int           status = leat__step_prepare(step, &trace->arena, error);
    if (status != LEAT_OK) return status;
    for (int o = 0; o < call->n_out; o++)
        if (call->out[o] && !(call->out[o]->data = leat__arena_alloc_aligned(&trace->arena, leat_tensor_bytes(call->out[o]))))
            return leat__fail(error, LEAT_ENOMEM, "out of memory while folding '%s'", step->node->name);
    call->scratch = call->scratch_bytes ? leat__alloc(call->scratch_bytes, LEAT_MEMORY_PLAN) : NULL;
    if (call->scratch_bytes && !call->scratch) return leat__fail(error, LEAT_ENOMEM, "out of memory while folding '%s'", step->node->name);
    call->error = error;
    status = call->op->run(call);
    call->error = NULL;
    leat__free(call->scratch);
    call->scratch = NULL;
    return status;
}

static void mark_outputs(leat_trace *trace, const leat_node *node, leat_known known) {
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o]) trace->known[node->out[o]->id] = (uint8_t)known;
}

static int make_block(leat_trace *trace, leat_block *block, leat_graph *graph, leat_error *error);

static int make_dynamic(leat_trace *trace, leat_step *step, leat_error *error) {
    const leat_node *node = step->node;
    step->kind = LEAT_STEP_DYNAMIC;
    step->dynamic = leat__arena_calloc(&trace->arena, 1, sizeof *step->dynamic);
    if (!step->dynamic) return LEAT_ENOMEM;
    step->dynamic->in_dims = leat__arena_calloc(&trace->arena, (size_t)node->n_in + 1, (1 + LEAT_MAX_RANK) * sizeof(int64_t));
    leat__arena_init(&step->dynamic->arena, LEAT_MEMORY_PLAN);
    step->blocks = leat__arena_calloc(&trace->arena, (size_t)node->attrs.n + 1, sizeof *step->blocks);
    if (!step->dynamic->in_dims || !step->blocks) return LEAT_ENOMEM;
    for (int a = 0; a < node->attrs.n; a++) {
        if (node->attrs.list[a].type != LEAT_ATTR_GRAPH) continue;
        leat_block *block = leat__arena_calloc(&trace->arena, 1, sizeof *block);
        if (!block) return LEAT_ENOMEM;
        step->blocks[step->n_blocks++] = block;
        int status = make_block(trace, block, node->attrs.list[a].graph, error);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

static int init_block(leat_trace *trace, leat_block *block, leat_graph *graph, leat_error *error) {
    block->graph = graph;
    block->steps = leat__arena_calloc(&trace->arena, (size_t)graph->n_nodes + 1, sizeof *block->steps);
    if (!block->steps) return leat__fail(error, LEAT_ENOMEM, "out of memory while planning graph '%s'", graph->name);
    seed_values(trace, graph);
    return LEAT_OK;
}

static int check_supported(const leat_node *node, leat_error *error) {
    if (node->op) return LEAT_OK;
    return leat__fail(error, LEAT_EUNSUPPORTED, "node '%s': operator %s%s%s (opset %d) is not supported", node->name, node->domain,
                      node->domain[0] ? "." : "", node->op_type, node->opset);
}

/* A subgraph: all its steps are dynamic. */
static int make_block(leat_trace *trace, leat_block *block, leat_graph *graph, leat_error *error) {
    int status = init_block(trace, block, graph, error);
    for (int n = 0; n < graph->n_nodes && status == LEAT_OK; n++) {
        leat_step *step = &block->steps[block->n_steps++];
        status = check_supported(graph->nodes[n], error);
        if (status == LEAT_OK) status = make_call(trace, step, graph->nodes[n]);
        if (status == LEAT_OK) status = make_dynamic(trace, step, error);
    }
    return status;
}

static int trace_node(leat_trace *trace, leat_step *step, const leat_node *node, int lenient, leat_error *error) {
    int status = check_supported(node, error);
    if (status != LEAT_OK) return status;
    status = make_call(trace, step, node);
    if (status != LEAT_OK) return leat__fail(error, status, "out of memory while planning node '%s'", node->name);
    if ((node->op->flags & LEAT_OP_CONTROL) || !inputs_known(trace, node, LEAT_KNOWN_DIMS)) return make_dynamic(trace, step, error);
    status = leat__step_infer(step, error);
    if (status == LEAT_EDYNAMIC) return make_dynamic(trace, step, error);
    if (status != LEAT_OK) return status;
    if (!may_fold(trace, step)) {
        step->kind = LEAT_STEP_STATIC;
        mark_outputs(trace, node, LEAT_KNOWN_DIMS);
        return LEAT_OK;
    }
    step->kind = LEAT_STEP_FOLDED;
    status = fold(trace, step, error);
    if (status == LEAT_OK) mark_outputs(trace, node, LEAT_KNOWN_DATA);
    return status;
}

static int trace_root(leat_trace *trace, int lenient, leat_error *error) {
    leat_graph *graph = trace->graph;
    int         status = init_block(trace, &trace->root, graph, error);
    for (int n = 0; n < graph->n_nodes && status == LEAT_OK; n++) {
        leat_step *step = &trace->root.steps[trace->root.n_steps++];
        status = trace_node(trace, step, graph->nodes[n], lenient, error);
        if (status == LEAT_OK || !lenient || status == LEAT_ENOMEM) continue;
        step->kind = LEAT_STEP_DYNAMIC; /* its outputs stay unknown */
        status = LEAT_OK;
    }
    return status;
}

static void set_inputs(leat_trace *trace, const leat_tensor *inputs) {
    for (int i = 0; i < trace->graph->n_inputs; i++) {
        const leat_value *value = trace->graph->inputs[i];
        leat_tensor      *tensor = &trace->tensors[value->id];
        leat__tensor_set(tensor, inputs[i].dtype, inputs[i].rank, inputs[i].dims);
        tensor->data = NULL;
        trace->known[value->id] = inputs[i].rank >= 0 ? LEAT_KNOWN_DIMS : LEAT_KNOWN_NOTHING;
    }
}

int leat__trace(leat_trace *trace, leat_graph *graph, const leat_tensor *inputs, leat_packs *packs, leat_tpool *pool, int threads,
                uint64_t max_bytes, int lenient, leat_error *error) {
    *trace = (leat_trace){.graph = graph, .packs = packs, .pool = pool, .threads = threads, .max_bytes = max_bytes};
    leat__arena_init(&trace->arena, LEAT_MEMORY_PLAN);
    trace->n_ids = leat__graph_id_count(graph);
    trace->tensors = leat__arena_calloc(&trace->arena, (size_t)trace->n_ids + 1, sizeof *trace->tensors);
    trace->known = leat__arena_calloc(&trace->arena, (size_t)trace->n_ids + 1, 1);
    int status = trace->tensors && trace->known ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "out of memory while planning");
    if (status == LEAT_OK) {
        set_inputs(trace, inputs);
        status = trace_root(trace, lenient, error);
    }
    if (status != LEAT_OK) leat__trace_fini(trace);
    return status;
}

static void fini_dynamic(leat_step_dynamic *dynamic) {
    leat_staging *staging = &dynamic->staging;
    for (int i = 0; i < staging->n; i++) leat__free(staging->tensors[i].data);
    leat__free(staging->tensors);
    leat__free(staging->capacity);
    leat__arena_fini(&dynamic->arena);
}

static void fini_block(leat_block *block) {
    for (int s = 0; s < block->n_steps; s++) {
        leat_step *step = &block->steps[s];
        if (step->dynamic) fini_dynamic(step->dynamic);
        for (int b = 0; b < step->n_blocks; b++) fini_block(step->blocks[b]);
    }
}

void leat__trace_fini(leat_trace *trace) {
    fini_block(&trace->root);
    leat__arena_fini(&trace->arena);
    *trace = (leat_trace){0};
}
