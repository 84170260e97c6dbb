/* act.c - names, defaults and the entry points of the activation functions; the arithmetic is in vmath. */
#include "cpu/act.h"

#include <math.h>
#include <string.h>

#include "cpu/vmath.h"

typedef struct act_row {
    const char *name;
    float       alpha, beta;
} act_row;

static const act_row rows[LEAT_ACT_COUNT] = {
#define ACT_ROW(kind, name, alpha, beta) {name, alpha, beta},
    LEAT_ACT_LIST(ACT_ROW)
#undef ACT_ROW
};

int leat__act_parse(const char *name) {
    if (!name || !*name) return LEAT_ACT_NONE;
    for (int i = 0; i < LEAT_ACT_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0) return i;
    return -1;
}

const char *leat__act_name(int kind) { return kind >= 0 && kind < LEAT_ACT_COUNT ? rows[kind].name : NULL; }

void leat__act_defaults(int kind, leat_act_params *params) {
    int known = kind >= 0 && kind < LEAT_ACT_COUNT;
    params->alpha = known ? rows[kind].alpha : 0;
    params->beta = known ? rows[kind].beta : 0;
    params->lo = -INFINITY;
    params->hi = INFINITY;
}

void leat__act_map_f32(int kind, const float *x, float *y, int64_t n, const leat_act_params *params) {
    if (kind <= LEAT_ACT_NONE || kind >= LEAT_ACT_COUNT) {
        if (x != y) memmove(y, x, (size_t)n * sizeof *y);
        return;
    }
    leat_act_params defaults;
    if (!params) {
        leat__act_defaults(kind, &defaults);
        params = &defaults;
    }
    leat__vmath()->act[kind](x, y, n, params);
}

void leat__act_f32(int kind, float *x, int64_t n, const leat_act_params *params) {
    if (kind > LEAT_ACT_NONE) leat__act_map_f32(kind, x, x, n, params);
}
