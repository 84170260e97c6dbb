/* plan.c - from a trace to a plan: alias sets, lifetimes, places (contract in plan.h).
 *
 * Values that may share memory are joined in sets: a view joins its source; an in-place operator's output joins the input that dies
 * there.  A set has one lifetime and one place.  Inputs and constants are never written, so nothing joins them but views; a graph output
 * joins a set only if that set has no other output, and the set then lives in the output's buffer.
 */
#include "graph/plan.h"

#include <string.h>

#include "graph/memplan.h"

typedef struct value_set {
    int32_t         parent;  /* id of the root; itself when root */
    int32_t         first, last;
    int32_t         last_use;/* of this one value, before any joining */
    int32_t         output;  /* graph output index of this value, -1 if none */
    leat_place_kind kind;    /* of a root */
    int32_t         index;   /* input or output index of a root */
    size_t          bytes;   /* of a root */
} value_set;

typedef struct planner {
    leat_plan   *plan;
    value_set   *sets;       /* [n_ids] */
    leat_memreq *requests;
    int32_t     *owner;      /* [n_requests] root id, or -1 - step for scratch */
    int          n_requests;
} planner;

static int32_t root_of(planner *p, int32_t id) {
    while (p->sets[id].parent != id) id = p->sets[id].parent = p->sets[p->sets[id].parent].parent;
    return id;
}

/* ---- lifetimes ----------------------------------------------------------------------------------------------------------- */

static void use(planner *p, const leat_value *value, int step) {
    if (value && p->sets[value->id].last_use < step) p->sets[value->id].last_use = step;
}

static void use_block(planner *p, const leat_block *block, int step) {
    for (int s = 0; s < block->n_steps; s++) {
        const leat_step *inner = &block->steps[s];
        for (int i = 0; i < inner->node->n_in; i++) use(p, inner->node->in[i], step);
        for (int b = 0; b < inner->n_blocks; b++) use_block(p, inner->blocks[b], step);
    }
    for (int i = 0; i < block->graph->n_outputs; i++) use(p, block->graph->outputs[i], step);
}

static void find_last_uses(planner *p, const leat_value *keep) {
    const leat_trace *trace = &p->plan->trace;
    for (int32_t id = 0; id < trace->n_ids; id++) p->sets[id] = (value_set){.parent = id, .last_use = -1, .output = -1, .index = -1};
    for (int s = 0; s < trace->root.n_steps; s++) {
        const leat_step *step = &trace->root.steps[s];
        for (int i = 0; i < step->node->n_in; i++) use(p, step->node->in[i], s);
        for (int b = 0; b < step->n_blocks; b++) use_block(p, step->blocks[b], s);
    }
    for (int i = 0; i < trace->graph->n_outputs; i++) {
        value_set *set = &p->sets[trace->graph->outputs[i]->id];
        set->last_use = trace->root.n_steps;
        if (set->output < 0) set->output = i;
    }
    use(p, keep, trace->root.n_steps);
}

/* ---- sets ------------------------------------------------------------------------------------------------------------------ */

static void place_sources(planner *p) {
    const leat_trace *trace = &p->plan->trace;
    for (int32_t id = 0; id < trace->n_ids; id++)
        if (trace->known[id] == LEAT_KNOWN_DATA) p->sets[id].kind = LEAT_PLACE_CONST;
    for (int i = 0; i < trace->graph->n_inputs; i++) {
        value_set *set = &p->sets[trace->graph->inputs[i]->id];
        set->kind = LEAT_PLACE_INPUT;
        set->index = i;
    }
}

static void join(planner *p, int32_t id, int32_t root) {
    value_set *set = &p->sets[root], *member = &p->sets[id];
    member->parent = root;
    if (member->last_use > set->last) set->last = member->last_use;
    if (set->kind == LEAT_PLACE_ARENA && member->output >= 0) {
        set->kind = LEAT_PLACE_OUTPUT;
        set->index = member->output;
    }
}

/* A view shares its source's place, unless that would make an output of memory that is not ours to hand out. */
static int try_view(planner *p, const leat_step *step, int32_t id) {
    const leat_value *source = step->node->in[0];
    uint32_t flags = step->node->op->flags;
    int same_bytes = (flags & LEAT_OP_VIEW) || ((flags & LEAT_OP_LAYOUT) && source && leat__layouts_equal(step->call.in[0]));
    if (!same_bytes || !source) return 0;
    int32_t         root = root_of(p, source->id);
    leat_place_kind kind = p->sets[root].kind;
    if (kind == LEAT_PLACE_NONE || kind == LEAT_PLACE_DYNAMIC) return 0;
    if (leat_tensor_bytes(step->call.out[0]) != leat_tensor_bytes(step->call.in[0])) return 0;
    if (p->sets[id].output >= 0 && kind != LEAT_PLACE_ARENA) return 0;
    join(p, id, root);
    return 1;
}

static int same_storage(const leat_tensor *a, const leat_tensor *b) {
    return a->dtype == b->dtype && a->flags == b->flags && leat__dims_equal(a, b);
}

/* Input i of the step dies here and no other input lives in its memory. */
static int may_overwrite(planner *p, const leat_step *step, int s, int i) {
    const leat_node *node = step->node;
    if (i >= node->n_in || !node->in[i] || !same_storage(step->call.in[i], step->call.out[0])) return 0;
    int32_t root = root_of(p, node->in[i]->id);
    if (p->sets[root].kind != LEAT_PLACE_ARENA || p->sets[root].last != s) return 0;
    for (int j = 0; j < node->n_in; j++)
        if (node->in[j] && node->in[j] != node->in[i] && root_of(p, node->in[j]->id) == root) return 0;
    return 1;
}

static int try_in_place(planner *p, const leat_step *step, int s, int32_t id) {
    static const uint32_t flag[2] = {LEAT_OP_INPLACE, LEAT_OP_INPLACE1};
    for (int i = 0; i < 2; i++)
        if ((step->node->op->flags & flag[i]) && may_overwrite(p, step, s, i)) {
            join(p, id, root_of(p, step->node->in[i]->id));
            return 1;
        }
    return 0;
}

static void place_outputs(planner *p, const leat_step *step, int s) {
    for (int o = 0; o < step->node->n_out; o++) {
        if (!step->node->out[o] || step->kind == LEAT_STEP_FOLDED) continue;
        int32_t    id = step->node->out[o]->id;
        value_set *set = &p->sets[id];
        set->kind = LEAT_PLACE_DYNAMIC;
        if (step->kind == LEAT_STEP_DYNAMIC) continue;
        if (o == 0 && (try_view(p, step, id) || try_in_place(p, step, s, id))) continue;
        set->kind = set->output >= 0 ? LEAT_PLACE_OUTPUT : LEAT_PLACE_ARENA;
        set->index = set->output;
        set->first = s;
        set->last = set->last_use > s ? set->last_use : s;
        set->bytes = leat_tensor_bytes(step->call.out[o]);
        if (set->bytes > p->plan->largest_bytes) p->plan->largest_bytes = set->bytes;
    }
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

static int request_memory(planner *p) {
    leat_plan  *plan = p->plan;
    leat_trace *trace = &plan->trace;
    size_t      most = (size_t)trace->n_ids + (size_t)trace->root.n_steps + 1;
    p->requests = leat__calloc(most, sizeof *p->requests, LEAT_MEMORY_PLAN);
    p->owner = leat__calloc(most, sizeof *p->owner, LEAT_MEMORY_PLAN);
    if (!p->requests || !p->owner) return LEAT_ENOMEM;
    for (int32_t id = 0; id < trace->n_ids; id++) {
        const value_set *set = &p->sets[id];
        if (set->parent != id || (set->kind != LEAT_PLACE_ARENA && set->kind != LEAT_PLACE_OUTPUT)) continue;
        p->owner[p->n_requests] = id;
        p->requests[p->n_requests++] = (leat_memreq){.bytes = set->bytes, .first = set->first, .last = set->last};
    }
    for (int s = 0; s < trace->root.n_steps; s++) {
        const leat_step *step = &trace->root.steps[s];
        if (step->kind != LEAT_STEP_STATIC || !step->call.scratch_bytes) continue;
        p->owner[p->n_requests] = -1 - s;
        p->requests[p->n_requests++] = (leat_memreq){.bytes = step->call.scratch_bytes, .first = s, .last = s};
    }
    plan->lower_bound_bytes = leat__memplan_lower_bound(p->requests, p->n_requests);
    return leat__memplan(p->requests, p->n_requests, &plan->arena_bytes);
}

static void take_places(planner *p) {
    leat_plan  *plan = p->plan;
    leat_trace *trace = &plan->trace;
    for (int r = 0; r < p->n_requests; r++) {
        if (p->owner[r] >= 0) plan->places[p->owner[r]].offset = p->requests[r].offset;
        else trace->root.steps[-1 - p->owner[r]].scratch_offset = p->requests[r].offset;
    }
    for (int32_t id = 0; id < trace->n_ids; id++) {
        int32_t     root = root_of(p, id);
        leat_place *place = &plan->places[id];
        place->offset = plan->places[root].offset;
        place->kind = p->sets[root].kind;
        place->index = p->sets[root].index;
        if (place->kind == LEAT_PLACE_CONST && id != root) trace->tensors[id].data = trace->tensors[root].data;
        if (place->kind == LEAT_PLACE_INPUT || place->kind == LEAT_PLACE_OUTPUT) plan->external[plan->n_external++] = id;
    }
}

/* ---- building ------------------------------------------------------------------------------------------------------------ */

static int prepare_steps(leat_plan *plan, leat_error *error) {
    leat_block *root = &plan->trace.root;
    for (int s = 0; s < root->n_steps; s++) {
        leat_step *step = &root->steps[s];
        if (step->kind == LEAT_STEP_DYNAMIC) plan->is_dynamic = 1;
        if (step->kind != LEAT_STEP_STATIC) continue;
        int status = leat__step_prepare(step, &plan->trace.arena, error);
        if (status != LEAT_OK) return status;
        plan->macs += step->call.macs;
    }
    return LEAT_OK;
}

static int place_values(leat_plan *plan, const leat_value *keep) {
    planner p = {.plan = plan};
    size_t  ids = (size_t)plan->trace.n_ids;
    p.sets = leat__calloc(ids + 1, sizeof *p.sets, LEAT_MEMORY_PLAN);
    plan->places = leat__arena_calloc(&plan->trace.arena, ids + 1, sizeof *plan->places);
    plan->external = leat__arena_calloc(&plan->trace.arena, ids + 1, sizeof *plan->external);
    plan->capacity = leat__arena_calloc(&plan->trace.arena, ids + 1, sizeof *plan->capacity);
    int status = p.sets && plan->places && plan->external && plan->capacity ? LEAT_OK : LEAT_ENOMEM;
    if (status == LEAT_OK) {
        find_last_uses(&p, keep);
        place_sources(&p);
        for (int s = 0; s < plan->trace.root.n_steps; s++) place_outputs(&p, &plan->trace.root.steps[s], s);
        status = request_memory(&p);
    }
    if (status == LEAT_OK) take_places(&p);
    leat__free(p.sets);
    leat__free(p.requests);
    leat__free(p.owner);
    return status;
}

static int copy_key(leat_plan *plan, const leat_tensor *inputs) {
    size_t n = (size_t)plan->trace.graph->n_inputs;
    plan->key = leat__arena_calloc(&plan->trace.arena, n + 1, sizeof *plan->key);
    if (!plan->key) return LEAT_ENOMEM;
    if (n) memcpy(plan->key, inputs, n * sizeof *inputs);
    return LEAT_OK;
}

int leat__plan_build(leat_plan *plan, leat_graph *graph, const leat_tensor *inputs, leat_packs *packs, leat_tpool *pool, int threads,
                     uint64_t max_bytes, const leat_value *keep, leat_error *error) {
    *plan = (leat_plan){0};
    int status = leat__trace(&plan->trace, graph, inputs, packs, pool, threads, max_bytes, 0, error);
    if (status != LEAT_OK) return status;
    status = prepare_steps(plan, error);
    if (status == LEAT_OK) {
        status = copy_key(plan, inputs);
        if (status == LEAT_OK) status = place_values(plan, keep);
        if (status != LEAT_OK) leat__fail(error, status, "graph '%s': no memory plan: %s", graph->name, leat_status_text(status));
    }
    if (status != LEAT_OK) leat__plan_fini(plan);
    return status;
}

void leat__plan_fini(leat_plan *plan) {
    if (plan->capacity)
        for (int id = 0; id < plan->trace.n_ids; id++)
            if (plan->capacity[id]) leat__free(plan->trace.tensors[id].data);
    leat__free(plan->dynamic_scratch);
    leat__trace_fini(&plan->trace);
    *plan = (leat_plan){0};
}

int leat__plan_matches(const leat_plan *plan, const leat_tensor *inputs) {
    for (int i = 0; i < plan->trace.graph->n_inputs; i++)
        if (plan->key[i].dtype != inputs[i].dtype || !leat__dims_equal(&plan->key[i], &inputs[i])) return 0;
    return 1;
}

/* ---- binding ------------------------------------------------------------------------------------------------------------- */

static void bind_arena(leat_plan *plan, uint8_t *arena) {
    leat_trace *trace = &plan->trace;
    plan->base = arena;
    for (int id = 0; id < trace->n_ids; id++)
        if (plan->places[id].kind == LEAT_PLACE_ARENA) trace->tensors[id].data = arena + plan->places[id].offset;
    for (int s = 0; s < trace->root.n_steps; s++)
        if (trace->root.steps[s].kind == LEAT_STEP_STATIC) trace->root.steps[s].call.scratch = arena + trace->root.steps[s].scratch_offset;
}

void leat__plan_bind(leat_plan *plan, uint8_t *arena, void *const *inputs, void *const *outputs) {
    if (plan->base != arena) bind_arena(plan, arena);
    for (int e = 0; e < plan->n_external; e++) {
        int32_t           id = plan->external[e];
        const leat_place *place = &plan->places[id];
        if (place->kind == LEAT_PLACE_INPUT) plan->trace.tensors[id].data = inputs[place->index];
        else plan->trace.tensors[id].data = outputs[place->index] ? outputs[place->index] : arena + place->offset;
    }
}
