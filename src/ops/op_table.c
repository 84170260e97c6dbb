/* op_table.c - the one table of operators: a list of families, each an array of rows ended by an empty one. */
#include "ops/op.h"

#include <string.h>

#define FAMILY(name) extern const leat_op leat__ops_##name[];
#include "ops/op_families.h"
#undef FAMILY

#define FAMILY(name) leat__ops_##name,
static const leat_op *const families[] = {
#include "ops/op_families.h"
    NULL};
#undef FAMILY

static int row_matches(const leat_op *op, const char *domain, const char *name, int opset) {
    if (op->name[0] != name[0] || strcmp(op->name, name) != 0 || strcmp(op->domain, domain) != 0) return 0;
    return opset >= op->since && (op->until == 0 || opset <= op->until);
}

const leat_op *leat__op_find(const char *domain, const char *name, int opset) {
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (int f = 0; families[f]; f++)
        for (const leat_op *op = families[f]; op->name; op++)
            if (row_matches(op, domain, name, opset)) return op;
    return NULL;
}

const leat_op *leat__op_at(int index) {
    for (int f = 0; families[f]; f++)
        for (const leat_op *op = families[f]; op->name; op++)
            if (index-- == 0) return op;
    return NULL;
}
