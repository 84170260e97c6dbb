/* context.c - one thread's state: bindings, plans, arena, runs (contract in leat/model.h).
 *
 * run: (prepare if shapes changed) -> bind pointers -> steps -> hand out results.  A run on a plan without dynamic steps is a hot phase.
 *
 * Kernels may read LEAT_TAIL_BYTES past a buffer.  The caller's input is used in place when that cannot leave its last page; else it is
 * copied to a padded buffer made in prepare (one input in about sixty lies so).
 */
#include <string.h>

#include "base/clock.h"
#include "base/sized_options.h"
#include "graph/context_impl.h"

enum { PAGE_BYTES = 4096, DEFAULT_PLANS = 4 };

void leat_context_options_default(leat_context_options *options) { *options = (leat_context_options){.size = sizeof *options}; }

/* ---- opening and closing ------------------------------------------------------------------------------------------------- */

static int alloc_tables(leat_context *context) {
    size_t in = (size_t)context->model->graph->n_inputs + 1, out = (size_t)context->model->graph->n_outputs + 1;
    context->inputs = leat__calloc(in, sizeof *context->inputs, LEAT_MEMORY_PLAN);
    context->input_data = leat__calloc(in, sizeof *context->input_data, LEAT_MEMORY_PLAN);
    context->copies = leat__calloc(in, sizeof *context->copies, LEAT_MEMORY_PLAN);
    context->copy_bytes = leat__calloc(in, sizeof *context->copy_bytes, LEAT_MEMORY_PLAN);
    context->bound = leat__calloc(out, sizeof *context->bound, LEAT_MEMORY_PLAN);
    context->bound_bytes = leat__calloc(out, sizeof *context->bound_bytes, LEAT_MEMORY_PLAN);
    context->direct = leat__calloc(out, sizeof *context->direct, LEAT_MEMORY_PLAN);
    context->results = leat__calloc(out, sizeof *context->results, LEAT_MEMORY_PLAN);
    context->plans = leat__calloc((size_t)context->max_plans, sizeof *context->plans, LEAT_MEMORY_PLAN);
    if (!context->inputs || !context->input_data || !context->copies || !context->copy_bytes || !context->bound || !context->bound_bytes ||
        !context->direct || !context->results || !context->plans)
        return LEAT_ENOMEM;
    for (size_t i = 0; i < in; i++) context->inputs[i].rank = -1;
    return LEAT_OK;
}

static int find_kept(leat_context *context, const char *name, leat_error *error) {
    if (!name) return LEAT_OK;
    context->keep = leat__graph_find(context->model->graph, name);
    if (context->keep) return LEAT_OK;
    return leat__fail(error, LEAT_EINVAL, "no value named '%s' in the optimised graph; open the model with LEAT_MODEL_NO_FUSION to keep all", name);
}

int leat_context_open(leat_model *model, const leat_context_options *options, leat_context **out, leat_error *error) {
    leat_context_options wanted;
    leat_context_options_default(&wanted);
    if (out) *out = NULL;
    if (!model || !out) return leat__fail(error, LEAT_EINVAL, "leat_context_open: model and context may not be NULL");
    int status = leat__take_options(&wanted, sizeof wanted, options, "leat_context_options", error);
    if (status != LEAT_OK) return status;
    if (model->n_unsupported) return leat__fail(error, LEAT_EUNSUPPORTED, "%s", model->unsupported[0]);
    leat_context *context = leat__calloc(1, sizeof *context, LEAT_MEMORY_PLAN);
    if (!context) return leat__fail(error, LEAT_ENOMEM, "out of memory for a context");
    context->model = leat_model_ref(model);
    context->threads = leat_tpool_threads(model->pool);
    if (wanted.threads > 0 && wanted.threads < context->threads) context->threads = wanted.threads;
    context->profile = wanted.profile;
    context->max_plans = wanted.max_plans > 0 ? wanted.max_plans : DEFAULT_PLANS;
    pthread_mutex_init(&context->runner.lock, NULL);
    pthread_cond_init(&context->runner.changed, NULL);
    status = alloc_tables(context);
    if (status != LEAT_OK) leat__fail(error, status, "out of memory for a context");
    else status = find_kept(context, wanted.keep, error);
    if (status != LEAT_OK) {
        leat_context_close(context);
        return status;
    }
    *out = context;
    return LEAT_OK;
}

static void drop_plan(leat_plan *plan) {
    leat__plan_fini(plan);
    leat__free(plan);
}

void leat_context_close(leat_context *context) {
    if (!context) return;
    leat__runner_stop(&context->runner);
    for (int p = 0; p < context->n_plans; p++) drop_plan(context->plans[p]);
    for (int i = 0; context->copies && i < context->model->graph->n_inputs; i++) leat__free(context->copies[i]);
    leat__free(context->arena);
    leat__free(context->inputs);
    leat__free(context->input_data);
    leat__free(context->copies);
    leat__free(context->copy_bytes);
    leat__free(context->bound);
    leat__free(context->bound_bytes);
    leat__free(context->direct);
    leat__free(context->results);
    leat__free(context->plans);
    leat_model_unref(context->model);
    leat__free(context);
}

/* ---- bindings ---------------------------------------------------------------------------------------------------------------- */

/* The declared type and dims; the first dimension may differ from a declared one, since many files fix a batch of 1 that
 * the graph does not need: the graph's own shape rules then decide. */
static int check_input(const leat_value_info *info, const leat_tensor *tensor, leat_error *error) {
    char text[160];
    if (info->dtype != LEAT_DTYPE_NONE && info->dtype != tensor->dtype)
        return leat__fail(error, LEAT_ETYPE, "input '%s' is %s, the model wants %s", info->name, leat_dtype_name(tensor->dtype),
                          leat_dtype_name(info->dtype));
    if (leat_tensor_bytes(tensor) == SIZE_MAX)
        return leat__fail(error, LEAT_ESHAPE, "input '%s': %s is not a valid shape", info->name, leat__tensor_text(tensor, text, sizeof text));
    if (info->rank < 0) return LEAT_OK;
    if (info->rank != tensor->rank)
        return leat__fail(error, LEAT_ESHAPE, "input '%s' has %d dimensions, the model wants %d", info->name, tensor->rank, info->rank);
    for (int d = 1; d < info->rank; d++)
        if (info->dims[d] >= 0 && info->dims[d] != tensor->dims[d])
            return leat__fail(error, LEAT_ESHAPE, "input '%s': dimension %d is %lld, the model wants %lld", info->name, d,
                              (long long)tensor->dims[d], (long long)info->dims[d]);
    return LEAT_OK;
}

static int valid_tensor(const leat_tensor *tensor) {
    return tensor && tensor->rank >= 0 && tensor->rank <= LEAT_MAX_RANK && leat_dtype_size(tensor->dtype) > 0;
}

int leat_context_set_input(leat_context *context, int index, const leat_tensor *tensor, leat_error *error) {
    if (index < 0 || index >= context->model->graph->n_inputs)
        return leat__fail(error, LEAT_EINVAL, "input index %d: the model has %d inputs", index, context->model->graph->n_inputs);
    if (!valid_tensor(tensor)) return leat__fail(error, LEAT_EINVAL, "input %d: not a valid tensor", index);
    int status = check_input(&context->model->inputs[index], tensor, error);
    if (status != LEAT_OK) return status;
    leat_tensor *slot = &context->inputs[index];
    leat__tensor_set(slot, tensor->dtype, tensor->rank, tensor->dims);
    slot->data = tensor->data;
    return LEAT_OK;
}

int leat_context_set_output(leat_context *context, int index, void *data, size_t capacity_bytes, leat_error *error) {
    if (index < 0 || index >= context->model->graph->n_outputs)
        return leat__fail(error, LEAT_EINVAL, "output index %d: the model has %d outputs", index, context->model->graph->n_outputs);
    context->bound[index] = data;
    context->bound_bytes[index] = data ? capacity_bytes : 0;
    return LEAT_OK;
}

/* ---- preparing --------------------------------------------------------------------------------------------------------------- */

static int reserve_arena(leat_context *context, leat_error *error) {
    size_t need = context->plan->arena_bytes;
    if (context->arena && need <= context->arena_bytes) return LEAT_OK;
    leat__free(context->arena);
    context->arena_bytes = 0;
    context->arena = leat__alloc(need, LEAT_MEMORY_ARENA);
    if (!context->arena) return leat__fail(error, LEAT_ENOMEM, "out of memory for an arena of %zu bytes", need);
    context->arena_bytes = need;
    for (int p = 0; p < context->n_plans; p++) context->plans[p]->base = NULL;
    return LEAT_OK;
}

/* Room for copies of inputs, so that no later run has to allocate whatever addresses it is given. */
static int reserve_copies(leat_context *context, leat_error *error) {
    for (int i = 0; i < context->model->graph->n_inputs; i++) {
        size_t need = leat_tensor_bytes(&context->inputs[i]);
        if (context->copies[i] && need <= context->copy_bytes[i]) continue;
        leat__free(context->copies[i]);
        context->copy_bytes[i] = 0;
        context->copies[i] = leat__alloc(need, LEAT_MEMORY_IO);
        if (!context->copies[i]) return leat__fail(error, LEAT_ENOMEM, "out of memory for input %d of %zu bytes", i, need);
        context->copy_bytes[i] = need;
    }
    return LEAT_OK;
}

static leat_plan *oldest_slot(leat_context *context) {
    leat_plan *slot = NULL;
    if (context->n_plans < context->max_plans) {
        slot = leat__calloc(1, sizeof *slot, LEAT_MEMORY_PLAN);
        if (slot) context->plans[context->n_plans++] = slot;
        return slot;
    }
    for (int p = 0; p < context->n_plans; p++)
        if (!slot || context->plans[p]->last_used < slot->last_used) slot = context->plans[p];
    leat__plan_fini(slot);
    return slot;
}

static void forget_plan(leat_context *context, leat_plan *plan) {
    for (int p = 0; p < context->n_plans; p++)
        if (context->plans[p] == plan) {
            context->plans[p] = context->plans[--context->n_plans];
            leat__free(plan);
            return;
        }
}

static int build_plan(leat_context *context, leat_error *error) {
    leat_model *model = context->model;
    leat_plan  *plan = oldest_slot(context);
    if (!plan) return leat__fail(error, LEAT_ENOMEM, "out of memory for a plan");
    int status = leat__plan_build(plan, model->graph, context->inputs, &model->packs, model->pool, context->threads, model->max_bytes,
                                  context->keep, error);
    if (status != LEAT_OK) forget_plan(context, plan);
    else context->plan = plan;
    return status;
}

static int find_plan(leat_context *context, leat_error *error) {
    context->plan = NULL;
    for (int p = 0; p < context->n_plans; p++)
        if (leat__plan_matches(context->plans[p], context->inputs)) context->plan = context->plans[p];
    int status = context->plan ? LEAT_OK : build_plan(context, error);
    if (status == LEAT_OK) status = reserve_arena(context, error);
    if (status == LEAT_OK) status = reserve_copies(context, error);
    if (status != LEAT_OK) context->plan = NULL;
    return status;
}

static int check_bound(leat_context *context, leat_error *error) {
    for (int i = 0; i < context->model->graph->n_inputs; i++)
        if (context->inputs[i].rank < 0)
            return leat__fail(error, LEAT_ESTATE, "input '%s' is not set", context->model->inputs[i].name);
    return LEAT_OK;
}

static int prepare(leat_context *context, leat_error *error) {
    int status = check_bound(context, error);
    if (status != LEAT_OK) return status;
    if (!context->plan || !leat__plan_matches(context->plan, context->inputs)) {
        int64_t start = leat__now_ns();
        context->run_allocations = 0;
        status = find_plan(context, error);
        context->prepare_ns = leat__now_ns() - start;
    }
    if (status == LEAT_OK) context->plan->last_used = ++context->clock;
    return status;
}

int leat_context_prepare(leat_context *context, leat_error *error) {
    if (leat_context_poll(context) == LEAT_EAGAIN) return leat__fail(error, LEAT_ESTATE, "a started run is in flight");
    return prepare(context, error);
}

/* ---- running ----------------------------------------------------------------------------------------------------------------- */

static int tail_is_readable(const void *data, size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    return 0;
#else
    return ((uintptr_t)data + bytes - 1) % PAGE_BYTES + 1 + LEAT_TAIL_BYTES <= PAGE_BYTES;
#endif
}

static int place_inputs(leat_context *context, leat_error *error) {
    for (int i = 0; i < context->model->graph->n_inputs; i++) {
        const leat_tensor *input = &context->inputs[i];
        size_t             bytes = leat_tensor_bytes(input);
        if (bytes && !input->data) return leat__fail(error, LEAT_ESTATE, "input '%s' has no data", context->model->inputs[i].name);
        context->input_data[i] = input->data;
        if (bytes && tail_is_readable(input->data, bytes) && (uintptr_t)input->data % leat_dtype_size(input->dtype) == 0) continue;
        if (bytes) memcpy(context->copies[i], input->data, bytes);
        context->input_data[i] = context->copies[i];
    }
    return LEAT_OK;
}

/* A bound output is written directly if it is large enough, aligned, and its tail may be read by a node that reads it back. */
static void place_results(leat_context *context) {
    const leat_trace *trace = &context->plan->trace;
    for (int o = 0; o < context->model->graph->n_outputs; o++) {
        const leat_value *value = context->model->graph->outputs[o];
        context->direct[o] = NULL;
        if (!context->bound[o] || context->plan->places[value->id].kind != LEAT_PLACE_OUTPUT) continue;
        size_t bytes = leat_tensor_bytes(&trace->tensors[value->id]);
        if (bytes && context->bound_bytes[o] >= bytes && (uintptr_t)context->bound[o] % LEAT_ALIGN == 0 && tail_is_readable(context->bound[o], bytes))
            context->direct[o] = context->bound[o];
    }
}

static int hand_out(leat_context *context, leat_error *error) {
    const leat_graph *graph = context->model->graph;
    for (int o = 0; o < graph->n_outputs; o++) {
        leat_tensor *result = &context->results[o];
        *result = context->plan->trace.tensors[graph->outputs[o]->id];
        result->flags = 0;
        size_t bytes = leat_tensor_bytes(result);
        if (!context->bound[o]) continue;
        if (bytes > context->bound_bytes[o])
            return leat__fail(error, LEAT_ELIMIT, "output '%s' takes %zu bytes, the buffer has %zu", graph->outputs[o]->name, bytes, context->bound_bytes[o]);
        if (result->data != context->bound[o] && bytes) memcpy(context->bound[o], result->data, bytes);
        result->data = context->bound[o];
    }
    return LEAT_OK;
}

static int run_steps(leat_context *context, leat_error *error) {
    leat_exec exec = {.plan = context->plan, .cancel = &context->cancel, .profile = context->profile, .error = error};
    int       hot = !context->plan->is_dynamic;
    if (hot) leat__hot_enter();
    int status = leat__exec_run(&exec);
    if (hot) leat__hot_leave();
    return status;
}

int leat__context_run(leat_context *context, leat_error *error) {
    int status = prepare(context, error);
    if (status != LEAT_OK) return status;
    int64_t  start = leat__now_ns();
    uint64_t allocations = leat__thread_allocations();
    context->has_run = 0;
    status = place_inputs(context, error);
    if (status != LEAT_OK) return status;
    place_results(context);
    leat__plan_bind(context->plan, context->arena, context->input_data, context->direct);
    status = run_steps(context, error);
    if (status == LEAT_OK) status = hand_out(context, error);
    context->last_run_ns = leat__now_ns() - start;
    context->run_allocations += leat__thread_allocations() - allocations;
    atomic_store(&context->cancel, 0);
    if (status != LEAT_OK) return status;
    context->runs++;
    context->has_run = 1;
    return LEAT_OK;
}

int leat_context_run(leat_context *context, leat_error *error) {
    if (leat_context_poll(context) == LEAT_EAGAIN) return leat__fail(error, LEAT_ESTATE, "a started run is in flight");
    return leat__context_run(context, error);
}

int leat_context_warmup(leat_context *context, int runs, leat_error *error) {
    int status = LEAT_OK;
    for (int r = 0; r < runs && status == LEAT_OK; r++) status = leat_context_run(context, error);
    return status;
}

void leat_context_cancel(leat_context *context) { atomic_store(&context->cancel, 1); }

/* ---- results and counters -------------------------------------------------------------------------------------------------- */

int leat_context_output(const leat_context *context, int index, leat_tensor *tensor) {
    if (index < 0 || index >= context->model->graph->n_outputs) return LEAT_EINVAL;
    if (!context->has_run) return LEAT_ESTATE;
    *tensor = context->results[index];
    return LEAT_OK;
}

int leat_context_kept(const leat_context *context, leat_tensor *tensor) {
    if (!context->keep) return LEAT_EINVAL;
    if (!context->has_run) return LEAT_ESTATE;
    *tensor = context->plan->trace.tensors[context->keep->id];
    return LEAT_OK;
}

static uint64_t mapped_weight_bytes(const leat_graph *graph) {
    uint64_t sum = 0;
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i]->constant && graph->values[i]->uses) sum += leat_tensor_bytes(graph->values[i]->constant);
    return sum;
}

static int steps_to_run(const leat_plan *plan) {
    int n = 0;
    for (int s = 0; s < plan->trace.root.n_steps; s++) n += plan->trace.root.steps[s].kind != LEAT_STEP_FOLDED;
    return n;
}

void leat_context_get_stats(const leat_context *context, leat_context_stats *stats) {
    const leat_plan *plan = context->plan;
    *stats = (leat_context_stats){.runs = context->runs, .last_run_ns = context->last_run_ns, .prepare_ns = context->prepare_ns};
    stats->weight_bytes_mapped = mapped_weight_bytes(context->model->graph);
    stats->weight_bytes_packed = leat__packs_bytes(&context->model->packs);
    stats->run_allocations = context->run_allocations;
    stats->threads = context->threads;
    if (!plan) return;
    stats->arena_bytes = plan->arena_bytes;
    stats->dynamic_bytes = plan->dynamic_bytes;
    stats->macs = plan->macs;
    stats->largest_bytes = plan->largest_bytes;
    stats->nodes = steps_to_run(plan);
}

static uint64_t step_bytes(const leat_step *step) {
    uint64_t sum = 0;
    for (int i = 0; i < step->call.n_in; i++)
        if (step->call.in[i]) sum += leat_tensor_bytes(step->call.in[i]);
    for (int o = 0; o < step->call.n_out; o++)
        if (step->call.out[o]) sum += leat_tensor_bytes(step->call.out[o]);
    return sum;
}

int leat_context_node(const leat_context *context, int index, leat_node_stats *stats) {
    if (!context->plan || index < 0) return LEAT_EINVAL;
    const leat_block *root = &context->plan->trace.root;
    int               s = 0;
    for (; s < root->n_steps; s++)
        if (root->steps[s].kind != LEAT_STEP_FOLDED && index-- == 0) break;
    if (s == root->n_steps) return LEAT_EINVAL;
    const leat_step *step = &root->steps[s];
    *stats = (leat_node_stats){.name = step->node->name, .op = step->node->op_type, .kernel = step->call.kernel ? step->call.kernel : ""};
    if (step->call.n_out && step->call.out[0]) stats->output = *step->call.out[0];
    stats->output.data = NULL;
    stats->macs = step->call.macs;
    stats->bytes = step_bytes(step);
    stats->runs = step->runs;
    stats->last_start_ns = step->last_start_ns;
    stats->last_ns = step->last_ns;
    stats->total_ns = step->total_ns;
    stats->min_ns = step->min_ns;
    return LEAT_OK;
}
