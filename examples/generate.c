/* generate.c - a language model in one page: open it, continue a text, show it as it comes.
 *
 *     cc generate.c $(pkg-config --cflags --libs leat) -o generate && ./generate model.gguf 'Once upon a time'
 */
#include <leat/leat.h>
#include <stdio.h>
#include <string.h>

static int show(void *user, const leat_lm_piece *piece) {
    fwrite(piece->text, 1, piece->bytes, stdout);
    fflush(stdout);
    return 0; /* anything else ends the generation */
}

int main(int argc, char **argv) {
    leat_lm         *model = NULL;
    leat_lm_session *session = NULL;
    leat_lm_request  request;
    leat_lm_result   result;
    leat_error       error = {0};
    if (argc != 3) return fprintf(stderr, "usage: generate MODEL.gguf PROMPT\n"), 2;
    leat_lm_request_default(&request);
    leat_lm_result_init(&result);
    request.prompt = argv[2];
    request.prompt_bytes = strlen(argv[2]);
    request.max_tokens = 60;
    request.sampling.temperature = 0; /* the most probable token each time */
    int status = leat_lm_open(argv[1], NULL, &model, &error);
    if (status == LEAT_OK) status = leat_lm_session_open(model, NULL, &session, &error);
    if (status == LEAT_OK) status = leat_lm_generate(session, &request, &result, show, NULL, &error);
    printf("\n");
    if (status == LEAT_OK) printf("(%lld tokens, ended by: %s)\n", (long long)result.n_tokens, leat_finish_name(result.finish));
    else fprintf(stderr, "generate: %s\n", error.message);
    leat_lm_session_close(session);
    leat_lm_unref(model);
    return status != LEAT_OK;
}
