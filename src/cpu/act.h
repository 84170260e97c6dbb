/* act.h - activation functions that kernels apply to a row of floats as it leaves them (GEMM and convolution epilogues, unary operators).
 *
 * One list names the kinds; the vector code lives in the vmath family, which states the tolerance of each.
 */
#ifndef LEAT_CPU_ACT_H
#define LEAT_CPU_ACT_H

#include <stdint.h>

/* X(kind, name, default alpha, default beta): y = f(x).  lo and hi of every default are -inf and +inf. */
#define LEAT_ACT_LIST(X)                                                                       \
    X(NONE, "none", 0, 0)                     /* x */                                          \
    X(RELU, "relu", 0, 0)                     /* max(x, 0) */                                  \
    X(CLIP, "clip", 0, 0)                     /* min(max(x, lo), hi) */                        \
    X(SIGMOID, "sigmoid", 0, 0)               /* 1 / (1 + e^-x) */                             \
    X(SILU, "silu", 1, 0)                     /* x * sigmoid(alpha x) */                       \
    X(HARD_SWISH, "hard_swish", 0, 0)         /* x * clip(x/6 + 1/2, 0, 1) */                  \
    X(HARD_SIGMOID, "hard_sigmoid", 0.2f, 0.5f) /* clip(alpha x + beta, 0, 1) */               \
    X(LEAKY_RELU, "leaky_relu", 0.01f, 0)     /* x < 0 ? alpha x : x */                        \
    X(TANH, "tanh", 0, 0)                                                                      \
    X(GELU, "gelu", 0, 0)                     /* x/2 (1 + erf(x / sqrt 2)) */                  \
    X(GELU_TANH, "gelu_tanh", 0, 0)           /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */ \
    X(ELU, "elu", 1, 0)                       /* x < 0 ? alpha (e^x - 1) : x */                \
    X(SELU, "selu", 1.67326319217681884765625f, 1.05070102214813232421875f) /* beta * elu(alpha) */ \
    X(CELU, "celu", 1, 0)                     /* x < 0 ? alpha (e^(x/alpha) - 1) : x */        \
    X(SOFTPLUS, "softplus", 0, 0)             /* log(1 + e^x) */                               \
    X(MISH, "mish", 0, 0)                     /* x tanh(softplus(x)) */                        \
    X(SOFTSIGN, "softsign", 0, 0)             /* x / (1 + |x|) */                              \
    X(THRESHOLDED_RELU, "thresholded_relu", 1, 0) /* x > alpha ? x : 0 */                      \
    X(SHRINK, "shrink", 0.5f, 0)              /* alpha = lambd, beta = bias */                 \
    X(EXP, "exp", 0, 0)                                                                        \
    X(LOG, "log", 0, 0)                                                                        \
    X(ERF, "erf", 0, 0)                                                                        \
    X(SQRT, "sqrt", 0, 0)                                                                      \
    X(RECIPROCAL, "reciprocal", 0, 0)                                                          \
    X(ABS, "abs", 0, 0)                                                                        \
    X(NEG, "neg", 0, 0)                                                                        \
    X(AFFINE, "affine", 1, 0)                 /* alpha x + beta */

typedef enum leat_act {
#define LEAT_ACT_ENUM(kind, name, alpha, beta) LEAT_ACT_##kind,
    LEAT_ACT_LIST(LEAT_ACT_ENUM)
#undef LEAT_ACT_ENUM
    LEAT_ACT_COUNT
} leat_act;

typedef struct leat_act_params {
    float alpha, beta, lo, hi;
} leat_act_params;

/* Kind of a name in the list, -1 when unknown; NULL and "" are NONE. */
int leat__act_parse(const char *name);
/* Name of a kind, NULL when out of range. */
const char *leat__act_name(int kind);
/* Fills *params with the defaults of `kind`. */
void leat__act_defaults(int kind, leat_act_params *params);

/* Applies the activation in place to x [n].  params: borrows, NULL = defaults.  NaN propagates.  RT-safe. */
void leat__act_f32(int kind, float *x, int64_t n, const leat_act_params *params);
/* y [n] = f(x [n]); y may equal x, no other overlap. */
void leat__act_map_f32(int kind, const float *x, float *y, int64_t n, const leat_act_params *params);

#endif
