/* exec_control.c - If, Loop and Scan: operators that hold graphs.
 *
 * Inner steps are dynamic; inner values have buffers of their own that are kept between runs.  Results are copied out of the inner
 * graph, and carried values pass through staging buffers, so a body may hand its inputs on in any order.
 *
 * Loop (opset 1..): inputs M?, cond?, carried...; body (iteration, cond, carried...) -> (cond, carried..., scan...).
 * Scan (opset 9..): inputs carried..., sequences...; body (carried..., elements...) -> (carried..., elements...); scan axes 0 only.
 */
#include "graph/plan.h"

#include <string.h>

static int fail_node(leat_exec *exec, const leat_step *step, int status, const char *what) {
    return leat__fail(exec->error, status, "node '%s' (%s): %s", step->node->name, step->node->op_type, what);
}

static leat_tensor *tensor_of(leat_exec *exec, const leat_value *value) { return &exec->plan->trace.tensors[value->id]; }

static int assign_output(leat_exec *exec, leat_step *step, int o, const leat_tensor *src) {
    const leat_value *out = o < step->node->n_out ? step->node->out[o] : NULL;
    return out ? leat__exec_assign(exec, out->id, src) : LEAT_OK;
}

/* ---- If -------------------------------------------------------------------------------------------------------------------- */

static leat_block *block_named(const leat_step *step, const char *name) {
    int b = 0;
    for (int a = 0; a < step->node->attrs.n; a++) {
        if (step->node->attrs.list[a].type != LEAT_ATTR_GRAPH) continue;
        if (strcmp(step->node->attrs.list[a].name, name) == 0) return step->blocks[b];
        b++;
    }
    return NULL;
}

static int run_if(leat_exec *exec, leat_step *step) {
    const leat_tensor *condition = step->call.n_in ? step->call.in[0] : NULL;
    if (!condition || condition->dtype != LEAT_DTYPE_BOOL || leat_tensor_count(condition) != 1)
        return fail_node(exec, step, LEAT_ETYPE, "the condition must be one bool");
    leat_block *block = block_named(step, *(const uint8_t *)condition->data ? "then_branch" : "else_branch");
    if (!block || block->graph->n_outputs < step->node->n_out) return fail_node(exec, step, LEAT_EFORMAT, "a branch is missing or has too few outputs");
    int status = leat__exec_block(exec, block);
    for (int o = 0; o < step->node->n_out && status == LEAT_OK; o++)
        status = assign_output(exec, step, o, tensor_of(exec, block->graph->outputs[o]));
    return status;
}

/* ---- values that go round ---------------------------------------------------------------------------------------------------- */

/* Room for n carried values, kept with the step: only a value that grows allocates. */
static int staging_reserve(leat_staging *s, int n) {
    if (n <= s->n) return LEAT_OK;
    s->tensors = leat__calloc((size_t)n, sizeof *s->tensors, LEAT_MEMORY_ARENA);
    s->capacity = leat__calloc((size_t)n, sizeof *s->capacity, LEAT_MEMORY_ARENA);
    s->n = s->tensors && s->capacity ? n : 0;
    return s->n ? LEAT_OK : LEAT_ENOMEM;
}

static int stage(leat_staging *s, int i, const leat_tensor *src) {
    leat_tensor *tensor = &s->tensors[i];
    size_t       bytes = leat_tensor_bytes(src);
    void        *data = tensor->data;
    if (!data || s->capacity[i] < bytes) {
        data = leat__alloc(bytes + LEAT_ALIGN, LEAT_MEMORY_ARENA);
        if (!data) return LEAT_ENOMEM;
        leat__free(tensor->data);
        s->capacity[i] = bytes + LEAT_ALIGN;
    }
    *tensor = *src;
    tensor->data = data;
    if (bytes) memcpy(data, src->data, bytes);
    return LEAT_OK;
}

/* Appends one element (dims of src) to a scan output [k, dims...]; k grows by one.  `at` < 0 appends, else writes there. */
static int append_scan(leat_exec *exec, leat_step *step, int o, const leat_tensor *src, int64_t k, int64_t total, int reverse) {
    const leat_value *out = o < step->node->n_out ? step->node->out[o] : NULL;
    if (!out) return LEAT_OK;
    leat_tensor *tensor = tensor_of(exec, out);
    if (src->rank + 1 > LEAT_MAX_RANK) return fail_node(exec, step, LEAT_ESHAPE, "a scan output has too many dimensions");
    if (k > 0 && (tensor->rank != src->rank + 1 || memcmp(tensor->dims + 1, src->dims, (size_t)src->rank * sizeof(int64_t)) != 0))
        return fail_node(exec, step, LEAT_ESHAPE, "a scan output changes its shape between iterations");
    tensor->dtype = src->dtype;
    tensor->rank = src->rank + 1;
    tensor->dims[0] = total > 0 ? total : k + 1;
    memcpy(tensor->dims + 1, src->dims, (size_t)src->rank * sizeof(int64_t));
    int    status = leat__exec_reserve(exec, out->id, k > 0);
    size_t bytes = leat_tensor_bytes(src);
    size_t at = (size_t)(reverse ? total - 1 - k : k) * bytes;
    if (status == LEAT_OK && bytes) memcpy((uint8_t *)tensor->data + at, src->data, bytes);
    return status;
}

/* ---- Loop -------------------------------------------------------------------------------------------------------------------- */

typedef struct loop {
    leat_block *body;
    leat_staging *carried;
    int         n_carried, n_scan;
    int64_t     trips;      /* -1 = no limit */
    int64_t     iteration;
    uint8_t     go_on;
} loop;

static int read_loop(leat_exec *exec, leat_step *step, loop *l) {
    const leat_tensor *trips = leat__op_in(&step->call, 0), *condition = leat__op_in(&step->call, 1);
    l->body = block_named(step, "body");
    l->n_carried = step->call.n_in > 2 ? step->call.n_in - 2 : 0;
    if (!l->body || l->body->graph->n_inputs != l->n_carried + 2 || l->body->graph->n_outputs < l->n_carried + 1 ||
        step->call.n_out > l->body->graph->n_outputs - 1)
        return fail_node(exec, step, LEAT_EFORMAT, "the body's inputs or outputs do not match");
    l->n_scan = l->body->graph->n_outputs - 1 - l->n_carried;
    if (trips && leat_tensor_count(trips) != 1) return fail_node(exec, step, LEAT_ESHAPE, "the trip count must be one number");
    if (condition && (leat_tensor_count(condition) != 1 || condition->dtype != LEAT_DTYPE_BOOL))
        return fail_node(exec, step, LEAT_ETYPE, "the condition must be one bool");
    l->trips = trips ? leat__tensor_get_int(trips, 0) : -1;
    if (trips && l->trips < 0) l->trips = 0;
    l->go_on = condition ? *(const uint8_t *)condition->data : 1;
    if (!trips && !condition) return fail_node(exec, step, LEAT_EUNSUPPORTED, "a loop without trip count and condition never ends");
    for (int c = 0; c < l->n_carried; c++)
        if (!step->call.in[c + 2]) return fail_node(exec, step, LEAT_EFORMAT, "a carried input is missing");
    l->carried = &step->dynamic->staging;
    return staging_reserve(l->carried, l->n_carried);
}

static int feed_loop(leat_exec *exec, loop *l) {
    const leat_graph *body = l->body->graph;
    leat_tensor       number = {.data = &l->iteration, .dtype = LEAT_DTYPE_I64};
    leat_tensor       flag = {.data = &l->go_on, .dtype = LEAT_DTYPE_BOOL};
    int               status = leat__exec_assign(exec, body->inputs[0]->id, &number);
    if (status == LEAT_OK) status = leat__exec_assign(exec, body->inputs[1]->id, &flag);
    for (int c = 0; c < l->n_carried && status == LEAT_OK; c++)
        status = leat__exec_assign(exec, body->inputs[c + 2]->id, &l->carried->tensors[c]);
    return status;
}

static int gather_loop(leat_exec *exec, leat_step *step, loop *l) {
    const leat_graph  *body = l->body->graph;
    const leat_tensor *condition = tensor_of(exec, body->outputs[0]);
    if (condition->dtype != LEAT_DTYPE_BOOL || leat_tensor_count(condition) != 1)
        return fail_node(exec, step, LEAT_ETYPE, "the body's condition must be one bool");
    l->go_on = *(const uint8_t *)condition->data;
    int status = LEAT_OK;
    for (int c = 0; c < l->n_carried && status == LEAT_OK; c++) status = stage(l->carried, c, tensor_of(exec, body->outputs[c + 1]));
    for (int s = 0; s < l->n_scan && status == LEAT_OK; s++)
        status = append_scan(exec, step, l->n_carried + s, tensor_of(exec, body->outputs[1 + l->n_carried + s]), l->iteration, 0, 0);
    return status;
}

/* No iteration ran: scan outputs are empty, with the element's dims as far as the body declares them. */
static int empty_scans(leat_exec *exec, leat_step *step, const loop *l) {
    int status = LEAT_OK;
    for (int s = 0; s < l->n_scan && status == LEAT_OK; s++) {
        const leat_value *element = l->body->graph->outputs[1 + l->n_carried + s];
        const leat_value *out = l->n_carried + s < step->node->n_out ? step->node->out[l->n_carried + s] : NULL;
        if (!out) continue;
        leat_tensor *tensor = tensor_of(exec, out);
        tensor->dtype = element->dtype ? element->dtype : LEAT_DTYPE_F32;
        tensor->rank = element->rank >= 0 && element->rank < LEAT_MAX_RANK ? element->rank + 1 : 1;
        tensor->dims[0] = 0;
        for (int d = 1; d < tensor->rank; d++) tensor->dims[d] = element->dims[d - 1] > 0 ? element->dims[d - 1] : 0;
        status = leat__exec_reserve(exec, out->id, 0);
    }
    return status;
}

static int run_loop(leat_exec *exec, leat_step *step) {
    loop l = {0};
    int  status = read_loop(exec, step, &l);
    for (int c = 0; c < l.n_carried && status == LEAT_OK; c++) status = stage(l.carried, c, step->call.in[c + 2]);
    while (status == LEAT_OK && l.go_on && (l.trips < 0 || l.iteration < l.trips)) {
        status = feed_loop(exec, &l);
        if (status == LEAT_OK) status = leat__exec_block(exec, l.body);
        if (status == LEAT_OK) status = gather_loop(exec, step, &l);
        l.iteration++;
    }
    if (status == LEAT_OK && l.iteration == 0) status = empty_scans(exec, step, &l);
    for (int c = 0; c < l.n_carried && status == LEAT_OK; c++) status = assign_output(exec, step, c, &l.carried->tensors[c]);
    return status == LEAT_ENOMEM ? fail_node(exec, step, status, "out of memory") : status;
}

/* ---- Scan -------------------------------------------------------------------------------------------------------------------- */

static int64_t direction(const leat_step *step, const char *attr, int i) {
    int            n;
    const int64_t *list = leat__attr_ints(&step->node->attrs, attr, &n);
    return list && i < n ? list[i] : 0;
}

typedef struct scan {
    leat_block *body;
    leat_staging *carried;
    int         n_state, n_seq, n_out;
    int64_t     length;
} scan;

static int read_scan(leat_exec *exec, leat_step *step, scan *s) {
    s->body = block_named(step, "body");
    s->n_seq = (int)leat__attr_int(&step->node->attrs, "num_scan_inputs", 0);
    s->n_state = step->call.n_in - s->n_seq;
    if (!s->body || s->n_seq < 1 || s->n_state < 0 || s->body->graph->n_inputs != step->call.n_in ||
        s->body->graph->n_outputs < s->n_state || step->call.n_out > s->body->graph->n_outputs)
        return fail_node(exec, step, LEAT_EFORMAT, "the body's inputs or outputs do not match");
    s->n_out = s->body->graph->n_outputs - s->n_state;
    for (int i = 0; i < step->call.n_in; i++)
        if (!step->call.in[i]) return fail_node(exec, step, LEAT_EFORMAT, "an input is missing");
    for (int i = 0; i < s->n_seq; i++) {
        const leat_tensor *seq = step->call.in[s->n_state + i];
        if (direction(step, "scan_input_axes", i) != 0) return fail_node(exec, step, LEAT_EUNSUPPORTED, "only scan axis 0 is supported");
        if (seq->rank < 1 || (i > 0 && seq->dims[0] != s->length)) return fail_node(exec, step, LEAT_ESHAPE, "the sequences differ in length");
        s->length = seq->dims[0];
    }
    for (int i = 0; i < s->n_out; i++)
        if (direction(step, "scan_output_axes", i) != 0) return fail_node(exec, step, LEAT_EUNSUPPORTED, "only scan axis 0 is supported");
    s->carried = &step->dynamic->staging;
    return staging_reserve(s->carried, s->n_state);
}

static int feed_scan(leat_exec *exec, leat_step *step, scan *s, int64_t k) {
    const leat_graph *body = s->body->graph;
    int               status = LEAT_OK;
    for (int i = 0; i < s->n_state && status == LEAT_OK; i++) status = leat__exec_assign(exec, body->inputs[i]->id, &s->carried->tensors[i]);
    for (int i = 0; i < s->n_seq && status == LEAT_OK; i++) {
        const leat_tensor *seq = step->call.in[s->n_state + i];
        leat_tensor        element = {.dtype = seq->dtype, .rank = seq->rank - 1};
        memcpy(element.dims, seq->dims + 1, (size_t)element.rank * sizeof(int64_t));
        int64_t at = direction(step, "scan_input_directions", i) ? s->length - 1 - k : k;
        element.data = (uint8_t *)seq->data + (size_t)at * leat_tensor_bytes(&element);
        status = leat__exec_assign(exec, body->inputs[s->n_state + i]->id, &element);
    }
    return status;
}

static int gather_scan(leat_exec *exec, leat_step *step, scan *s, int64_t k) {
    const leat_graph *body = s->body->graph;
    int               status = LEAT_OK;
    for (int i = 0; i < s->n_state && status == LEAT_OK; i++) status = stage(s->carried, i, tensor_of(exec, body->outputs[i]));
    for (int i = 0; i < s->n_out && status == LEAT_OK; i++)
        status = append_scan(exec, step, s->n_state + i, tensor_of(exec, body->outputs[s->n_state + i]), k, s->length,
                             direction(step, "scan_output_directions", i) != 0);
    return status;
}

static int run_scan(leat_exec *exec, leat_step *step) {
    scan s = {0};
    int  status = read_scan(exec, step, &s);
    for (int i = 0; i < s.n_state && status == LEAT_OK; i++) status = stage(s.carried, i, step->call.in[i]);
    for (int64_t k = 0; k < s.length && status == LEAT_OK; k++) {
        status = feed_scan(exec, step, &s, k);
        if (status == LEAT_OK) status = leat__exec_block(exec, s.body);
        if (status == LEAT_OK) status = gather_scan(exec, step, &s, k);
    }
    for (int i = 0; i < s.n_state && status == LEAT_OK; i++) status = assign_output(exec, step, i, &s.carried->tensors[i]);
    return status == LEAT_ENOMEM ? fail_node(exec, step, status, "out of memory") : status;
}

int leat__exec_control(leat_exec *exec, leat_step *step) {
    const char *type = step->node->op_type;
    if (strcmp(type, "If") == 0) return run_if(exec, step);
    if (strcmp(type, "Loop") == 0) return run_loop(exec, step);
    return run_scan(exec, step);
}
