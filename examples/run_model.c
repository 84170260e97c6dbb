/* run_model.c - the whole API in one page: open a model, feed it, read the answer.
 *
 *     cc run_model.c $(pkg-config --cflags --libs leat) -o run_model && ./run_model model.onnx
 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>

/* Binds a buffer of 0.5 to every input; unknown dimensions become 1.  Returns 0 on failure. */
static int feed(leat_model *model, leat_context *context, leat_error *error) {
    for (int i = 0; i < leat_model_input_count(model); i++) {
        leat_value_info info;
        leat_model_input_info(model, i, &info);
        leat_tensor tensor = {.dtype = info.dtype, .rank = info.rank};
        for (int d = 0; d < info.rank; d++) tensor.dims[d] = info.dims[d] > 0 ? info.dims[d] : 1;
        size_t bytes = leat_tensor_bytes(&tensor);
        tensor.data = calloc(1, bytes); /* must live until the last run; this program leaves it to the OS */
        if (!tensor.data) return 0;
        for (size_t k = 0; info.dtype == LEAT_DTYPE_F32 && k < bytes / sizeof(float); k++) ((float *)tensor.data)[k] = 0.5f;
        if (leat_context_set_input(context, i, &tensor, error) != LEAT_OK) return 0;
    }
    return 1;
}

int main(int argc, char **argv) {
    leat_model   *model = NULL;
    leat_context *context = NULL;
    leat_error    error = {0};
    leat_tensor   output;
    if (argc != 2) return fprintf(stderr, "usage: run_model MODEL.onnx\n"), 2;
    if (leat_model_open(argv[1], NULL, &model, &error) != LEAT_OK || leat_context_open(model, NULL, &context, &error) != LEAT_OK ||
        !feed(model, context, &error) || leat_context_run(context, &error) != LEAT_OK) {
        fprintf(stderr, "run_model: %s\n", error.message);
        return 1;
    }
    leat_context_output(context, 0, &output);
    printf("output 0: %s, %lld elements", leat_dtype_name(output.dtype), (long long)leat_tensor_count(&output));
    if (output.dtype == LEAT_DTYPE_F32 && leat_tensor_count(&output) > 0) printf(", first %g", (double)((float *)output.data)[0]);
    printf("\n");
    leat_context_close(context);
    leat_model_unref(model);
    return 0;
}
