/* fused.h - the operators of domain "leat": what the graph passes make and the operator files implement.  Opset 1, all attributes optional.
 *
 *   Conv             X [N,C,..], W, B or absent, R (residual, shape of the output) or absent; attributes of ONNX Conv, and
 *                      act (string of LEAT_ACT_LIST), act_alpha, act_beta, act_lo, act_hi (floats)
 *                      residual_after (int, 0):  0: Y = act(conv + B + R)    1: Y = act(conv + B) + R
 *                      NHWC: X, Y and R; W and B stay plain.
 *   MatMul           A, B, bias [N] or absent, R or absent; trans_a, trans_b (int: swap the last two axes first), alpha (float, 1), act*, residual_after.
 *                      Y = act(alpha A B + bias + R), batch axes broadcast as in ONNX MatMul.
 *   InvertedResidual see inverted_residual.c
 *   Attention        Q, K, V, mask or absent; see attention.c
 *   ToNHWC, ToNCHW   X -> Y: the same logical tensor, stored channels-last / in logical order.
 *   Relabel          a view, no data moves.  mode "last":  X [N,C,d..] stored channels-last -> Y [N,d..,C] plain, the same bytes.
 *                      mode "first": X [N,d..,C] plain -> Y [N,C,d..] stored channels-last, the same bytes.
 *   ChannelShuffle   X [N,C,H,W] -> Y: groups (int): C = groups x k; Y[:, i*groups + g] = X[:, g*k + i].  AXIS layout.
 */
#ifndef LEAT_OPS_FUSED_H
#define LEAT_OPS_FUSED_H

#define LEAT_FUSED_DOMAIN "leat"
#define LEAT_FUSED_OPSET 1

#endif
