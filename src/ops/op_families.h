/* op_families.h - one FAMILY(x) line for each file of src/ops that ends with a table leat__ops_x; included by op_table.c. */
FAMILY(control_flow)
FAMILY(pool)
FAMILY(pool_global)
FAMILY(resize)
FAMILY(unary)
FAMILY(activation)
