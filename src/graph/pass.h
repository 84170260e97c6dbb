/* pass.h - what every rewriting pass shares: the state of one optimisation, the list of passes, pattern and editing helpers.
 *
 * A pass is a set of rewrites.  A rewrite looks at one node (the anchor), matches the pattern around it, and edits the graph in place:
 * the *last* node of the pattern becomes the fused node, because it stands after all inputs of the pattern, so the order stays
 * topological; the others are killed.  Use counts and readers are those of leat__graph_index(); the helpers below keep them
 * conservative while a pass edits (a match may be missed until the next round, never made wrongly).
 *
 * A rewrite returns 1 when it changed something, 0 when the pattern is not there, a negative status when out of memory.
 */
#ifndef LEAT_GRAPH_PASS_H
#define LEAT_GRAPH_PASS_H

#include "graph/graph.h"

typedef struct leat_pass {
    leat_graph *root;    /* the model's main graph */
    leat_graph *graph;   /* the one that is being rewritten: root or an inner graph */
    int         changed; /* rewrites since it was last cleared */
    size_t      fold_budget; /* bytes that folding may still make; 0 = not yet known */
    leat_error *error;
} leat_pass;

typedef int (*leat_rewrite)(leat_pass *pass, leat_node *node);

/* ---- the passes; each file tells its own story ---------------------------------------------------------------------------- */
int leat__pass_widen(leat_pass *pass);     /* pass_widen.c     float16 and bfloat16 models compute in float32 */
int leat__pass_fold(leat_pass *pass);      /* pass_fold.c      constants, shapes, conditions */
int leat__pass_tidy(leat_pass *pass);      /* pass_tidy.c      identities, neutral arithmetic, dead code */
int leat__pass_cse(leat_pass *pass);       /* pass_cse.c       equal nodes, equal constants */
int leat__pass_transpose(leat_pass *pass); /* pass_transpose.c transposes and reshapes that cancel or merge */
int leat__pass_act(leat_pass *pass);       /* pass_act.c       decomposed activations become one node */
int leat__pass_norm(leat_pass *pass);      /* pass_norm.c      decomposed layer and group normalisation */
int leat__pass_attention(leat_pass *pass); /* pass_attention.c softmax(QK')V */
int leat__pass_focus(leat_pass *pass);     /* pass_focus.c     quarters of a picture in front of a convolution */
int leat__pass_affine(leat_pass *pass);    /* pass_affine.c    batch norm, scale, shift and padding go into convolution weights */
int leat__pass_conv(leat_pass *pass);      /* pass_conv.c      activation and residual go into the convolution */
/* Folds the activation or addition behind `node` (a convolution or matrix product) into it: leat.`fused_type`.  pass_epilogue.c */
int leat__absorb_epilogue(leat_node *node, const char *fused_type);
int leat__pass_matmul(leat_pass *pass);    /* pass_matmul.c    bias, activation, residual, transposes go into the matrix product */
int leat__pass_shuffle(leat_pass *pass);   /* pass_shuffle.c   channel shuffle */
int leat__pass_inverted(leat_pass *pass);  /* pass_inverted.c  inverted residual blocks */
int leat__pass_enlarge(leat_pass *pass);   /* pass_enlarge.c   enlarged tensors beside a skip connection in front of such a block */
int leat__pass_reorder(leat_pass *pass);   /* pass_reorder.c   transposes that channels-last storage makes free */
int leat__pass_layout(leat_pass *pass);    /* pass_layout.c    which values are stored channels-last */

/* ---- walking ------------------------------------------------------------------------------------------------------------ */
/* Calls fn for every live node in order, those that it inserts behind the anchor too. */
int leat__pass_each(leat_pass *pass, leat_rewrite fn);

/* ---- matching ----------------------------------------------------------------------------------------------------------- */
/* node is alive, of ai.onnx (leat__is) or of `domain`, and of that type; NULL is no node. */
int leat__is(const leat_node *node, const char *op_type);
int leat__is_in(const leat_node *node, const char *domain, const char *op_type);
/* Producer of input i if it is of that type, in the same graph and alive; else NULL. */
leat_node *leat__from(const leat_node *node, int i, const char *op_type);
/* Reader of `value` if it is the only use, in the same graph; else NULL.  Graph outputs and inner graphs count as uses. */
leat_node *leat__only_reader(const leat_value *value);
/* The same for the value's producer: node's output 0 is read only by `reader`. */
int leat__feeds_only(const leat_node *node, const leat_node *reader);
leat_value *leat__in(const leat_node *node, int i);    /* NULL when absent */
/* Index of the input that is `value`, or -1. */
int leat__in_index(const leat_node *node, const leat_value *value);
/* The other input of a node of two inputs. */
leat_value *leat__other(const leat_node *node, const leat_value *value);
/* Constant of one element (of any number type) into *x. */
int leat__const_scalar(const leat_value *value, double *x);
/* All elements of an integer constant of at most `max` elements; returns their number, -1 when it is none. */
int leat__const_ints(const leat_value *value, int64_t *out, int max);
/* Binary node with one constant scalar that does not raise the rank: *x its value, *other the operand that is left.  The constant may
 * stand at either side unless `right`. */
int leat__with_scalar(const leat_node *node, int right, double *x, leat_value **other);
int leat__is_f32(const leat_value *value);
int leat__same_shape(const leat_value *a, const leat_value *b); /* known and equal */
int leat__known_dims(const leat_value *value);                  /* rank and all dims known */
int leat__surely_same_shape(const leat_value *a, const leat_value *b); /* known and equal, or unknown at load and equal in the probe */
/* Integer list attribute equals values; an absent one equals `absent` everywhere. */
int leat__attr_ints_are(const leat_node *node, const char *name, int64_t value, int64_t absent);
/* Axes of a Reduce or Squeeze node, as attribute or as input 1; count, 0 when it has none, -1 when not constant. */
int leat__node_axes(const leat_node *node, int64_t *axes, int max);

/* ---- editing ------------------------------------------------------------------------------------------------------------ */
/* Turns `node` into an operator with n_in (absent) inputs and its outputs kept; its attributes are dropped.  0 when out of memory. */
int leat__become(leat_node *node, const char *domain, const char *op_type, int opset, int n_in);
void leat__set_in(leat_node *node, int i, leat_value *value);
int leat__grow_in(leat_node *node, int n_in); /* more (absent) inputs; 0 when out of memory */
/* Private copy of `from`'s attributes, so that later changes touch only `to`.  0 when out of memory. */
int leat__copy_attrs(leat_node *to, const leat_node *from);
void leat__drop_attr(leat_node *node, const char *name);
void leat__kill(leat_node *node);
/* Readers of node's output 0 read `with` instead and the node dies.  A graph output keeps its name: then the producer of `with`
 * takes the output over, if it can.  Returns 1, 0 when that is not possible. */
int leat__bypass(leat_pass *pass, leat_node *node, leat_value *with);
/* New value of the dtype and dims of `like` (NULL: unknown) with a fresh name. */
leat_value *leat__new_value(leat_graph *graph, const leat_value *like);
/* New node before `before`, reading in[0..n_in), with one new output like `like`; returns the output or NULL. */
leat_value *leat__insert(leat_node *before, const char *domain, const char *op_type, int opset, int n_in, leat_value **in,
                         const leat_value *like);
leat_value *leat__new_ints(leat_graph *graph, const int64_t *values, int n); /* constant int64 [n] */
leat_value *leat__new_f32(leat_graph *graph, int rank, const int64_t *dims); /* constant float32, zeroed */

#endif
