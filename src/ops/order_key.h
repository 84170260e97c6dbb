/* order_key.h - one unsigned 64-bit key per element whose order is the order of the values: sorting without a comparator per
 * type.
 *
 * Floats: -0 equals +0, NaN counts as the largest.  Types without an order (strings, complex) have no key.
 */
#ifndef LEAT_OPS_ORDER_KEY_H
#define LEAT_OPS_ORDER_KEY_H

#include "leat/tensor.h"

int leat__has_order_key(leat_dtype dtype);
/* Key of element i of `data`. */
uint64_t leat__order_key(leat_dtype dtype, const void *data, int64_t i);

#endif
