/* pass_conv.c - convolutions take in what follows them (pass_epilogue.c) and become leat.Conv.
 *
 * Batch normalisation, scales and biases are in the weights by now (pass_affine.c), decomposed activations are one node (pass_act.c).
 * A convolution that nothing follows stays an ONNX Conv; both run on the same kernels.
 */
#include "graph/pass.h"
#include "ops/fused.h"

static int fuse_conv(leat_pass *pass, leat_node *node) {
    if (!leat__is(node, "Conv") && !leat__is_in(node, LEAT_FUSED_DOMAIN, "Conv")) return 0;
    return leat__absorb_epilogue(node, "Conv");
}

int leat__pass_conv(leat_pass *pass) {
    return leat__pass_each(pass, fuse_conv);
}
