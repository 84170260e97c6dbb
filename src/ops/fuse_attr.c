/* fuse_attr.c - activations of fused operators. */
#include "ops/fuse_attr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void override_param(leat_op_call *call, const char *prefix, const char *suffix, float *value) {
    char name[48];
    snprintf(name, sizeof name, "%s_%s", prefix, suffix);
    *value = leat__attr_float(call->attrs, name, *value);
}

int leat__fused_act(leat_op_call *call, const char *prefix, int *act, leat_act_params *params) {
    const char *name = leat__attr_string(call->attrs, prefix, "none");
    *act = leat__act_parse(name);
    if (*act < 0) return leat__op_fail(call, LEAT_EINVAL, "attribute %s names an unknown activation '%.64s'", prefix, name);
    leat__act_defaults(*act, params);
    override_param(call, prefix, "alpha", &params->alpha);
    override_param(call, prefix, "beta", &params->beta);
    override_param(call, prefix, "lo", &params->lo);
    override_param(call, prefix, "hi", &params->hi);
    return LEAT_OK;
}

int leat__ms_act(leat_op_call *call, int *act, leat_act_params *params) {
    static const struct {
        const char *name;
        int         act;
    } names[] = {{"", LEAT_ACT_NONE},       {"Relu", LEAT_ACT_RELU},   {"Clip", LEAT_ACT_CLIP}, {"Sigmoid", LEAT_ACT_SIGMOID},
                 {"Tanh", LEAT_ACT_TANH},   {"HardSwish", LEAT_ACT_HARD_SWISH}, {"HardSigmoid", LEAT_ACT_HARD_SIGMOID},
                 {"LeakyRelu", LEAT_ACT_LEAKY_RELU}, {"Gelu", LEAT_ACT_GELU}, {"Silu", LEAT_ACT_SILU}};
    const char *name = leat__attr_string(call->attrs, "activation", "");
    int n = 0;
    const float *values = leat__attr_floats(call->attrs, "activation_params", &n);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i].name) != 0) continue;
        *act = names[i].act;
        leat__act_defaults(*act, params);
        float *first = *act == LEAT_ACT_CLIP ? &params->lo : &params->alpha, *second = *act == LEAT_ACT_CLIP ? &params->hi : &params->beta;
        if (n > 0) *first = values[0];
        if (n > 1) *second = values[1];
        return LEAT_OK;
    }
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "activation '%.64s' is not known", name);
}

int leat__epilogue_attrs(leat_op_call *call, leat_epilogue *epilogue) {
    epilogue->act = LEAT_ACT_NONE;
    leat__act_defaults(LEAT_ACT_NONE, &epilogue->params);
    epilogue->after = 0;
    if (strcmp(call->op->domain, "com.microsoft") == 0) return leat__ms_act(call, &epilogue->act, &epilogue->params);
    if (strcmp(call->op->domain, "leat") != 0) return LEAT_OK;
    epilogue->after = leat__attr_int(call->attrs, "residual_after", 0) != 0;
    return leat__fused_act(call, "act", &epilogue->act, &epilogue->params);
}
