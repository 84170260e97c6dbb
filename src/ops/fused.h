/* fused.h - the operators of domain "leat": what the graph passes make and the operator files implement.  Opset 1, all attributes optional.
 *
 *   Conv             X [N,C,..], W, B or absent, R (residual, shape of the output) or absent, S [M] or absent: W of output channel m is
 *                      multiplied by S[m] when it is packed (a folded batch norm costs no second copy of W); attributes of ONNX Conv, and
 *                      act (string of LEAT_ACT_LIST), act_alpha, act_beta, act_lo, act_hi (floats)
 *                      residual_after (int, 0):  0: Y = act(conv + B + R)    1: Y = act(conv + B) + R
 *                      NHWC: X, Y and R; W and B stay plain.
 *   MatMul           A, B, bias [N] or absent, R or absent; trans_a, trans_b (int: swap the last two axes first), alpha (float, 1), act*, residual_after.
 *                      Y = act(alpha A B + bias + R), batch axes broadcast as in ONNX MatMul.
 *   InvertedResidual X [N,C,H,W], W1 [E,C,1,1], B1 [E] or absent, WD [E,1,kh,kw], BD [E] or absent, W2 [CO,E,1,1], B2 [CO] or absent,
 *                      R (shape of the output) or absent, S1 [E], SD [E], S2 [CO] or absent (scales of W1, WD, W2 as S of Conv),
 *                      X2 (shape of X) or absent: the block reads the concatenation of X and X2 along the channels, W1 is [E,2C,1,1];
 *                      UP [N,C2,h,w] or absent: its linear enlargement to [N,C2,H,W] stands beside X on the channel axis, so that W1 is
 *                      [E,C+C2,1,1]; up_first (int, 0): before X; up_mode (half_pixel, pytorch_half_pixel, align_corners, asymmetric).
 *                      W1 absent: no expansion, E = C (depthwise + pointwise).  W1, WD, W2 are constants.
 *                      strides [2], pads [4], dilations [2] (of the depthwise, explicit, no auto_pad; kh, kw <= 16);
 *                      act1*, actd*, act2* (each like act* of Conv) after the three convolutions; residual_after.
 *                      Y = act2(W2 . actd(WD * act1(W1 . X + B1) + BD) + B2 + R), the depthwise padding is zeros of the expanded tensor.
 *                      NHWC: X, X2, UP, Y, R.
 *   Attention        Q [B,H,S,D], K [B,H,T,D], V [B,H,T,DV], mask or absent (float32, added, broadcastable to [B,H,S,T]); scale (float, 1/sqrt(D)),
 *                      k_transposed (int): K is [B,H,D,T]; q_split, k_split, v_split, y_split (int): that tensor is [B,S,H,D] instead, so that the
 *                      transpositions around it can go.  Y = softmax(scale Q K^T + mask) V.
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
