/* fuse_attr.h - the activation that a fused operator applies to its result, read from its attributes. */
#ifndef LEAT_OPS_FUSE_ATTR_H
#define LEAT_OPS_FUSE_ATTR_H

#include "cpu/act.h"
#include "cpu/gemm_f32.h"
#include "ops/op.h"

/* Domain "leat": attributes `prefix` (name of LEAT_ACT_LIST, absent = none), prefix_alpha, prefix_beta, prefix_lo, prefix_hi.
 * LEAT_EINVAL when the name is unknown. */
int leat__fused_act(leat_op_call *call, const char *prefix, int *act, leat_act_params *params);
/* com.microsoft: attributes activation (ONNX operator name) and activation_params.  LEAT_EUNSUPPORTED when the name is unknown. */
int leat__ms_act(leat_op_call *call, int *act, leat_act_params *params);
/* The op's own kind: by its domain one of the above, nothing for ai.onnx; and residual_after. */
int leat__epilogue_attrs(leat_op_call *call, leat_epilogue *epilogue);

#endif
