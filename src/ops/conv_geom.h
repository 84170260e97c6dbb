/* conv_geom.h - attributes of Conv and ConvTranspose to a checked leat_conv_shape. */
#ifndef LEAT_OPS_CONV_GEOM_H
#define LEAT_OPS_CONV_GEOM_H

#include "cpu/conv_f32.h"
#include "ops/op.h"

/* Reads kernel_shape, strides, pads, dilations, auto_pad, group against x [N, C, 1 to 3 axes] and w [CO, C / group, k..]; fills *shape.
 * LEAT_ESHAPE, LEAT_EINVAL, LEAT_ELIMIT with a message; afterwards every index that the shape implies is in range. */
int leat__conv_geometry(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, leat_conv_shape *shape);
/* The same with the number of groups given. */
int leat__conv_geometry_of_group(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, int64_t group, leat_conv_shape *shape);
/* The same for ConvTranspose: w [C, CO / group, k..], also output_padding and output_shape.  shape->in is x, shape->out is y. */
int leat__conv_transpose_geometry(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, leat_conv_shape *shape);
/* Sets *y to [n, cout, out..] of rank `rank`, with x's element type. */
int leat__conv_set_output(leat_op_call *call, const leat_conv_shape *shape, const leat_tensor *x, leat_tensor *y);
/* bias: NULL or [cout] of x's type. */
int leat__conv_check_bias(leat_op_call *call, const leat_conv_shape *shape, const leat_tensor *x, const leat_tensor *bias);

#endif
