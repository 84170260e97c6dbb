#!/bin/bash
# test_cli_embed.sh - `leat embed`: texts from arguments, files and standard input to lines, JSON and .npy; what is refused.  Models: the shared story model.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
STORIES=${LEAT_SHARED:-../shared}/models/llm/stories260K.gguf

wrong_use_is_2() {
    run 2 embed text && err_has 'MODEL.gguf is needed' && run 2 embed -m "$MODEL" text --file x && err_has 'not both' && run 2 embed -m "$MODEL" --pooling best x &&
        run 2 embed -m "$MODEL" --json --output "$scratch/x.npy" x && err_has 'give one'
}
wrong_files_are_1() {
    : >"$scratch/empty"
    run 1 embed -m "$MODEL" text && err_has 'not a GGUF file' && run 1 embed -m "$STORIES" --file "$scratch/nowhere" && err_has 'No such file' &&
        run 1 embed -m "$STORIES" --file "$scratch/empty" && err_has 'no text'
}
one_line_a_text() {
    run 0 embed -m "$STORIES" 'Once upon a time' 'The end' && out_lines 2 && awk '{ s = 0; for (i = 1; i <= NF; i++) s += $i * $i; if (NF != 64 || s < 0.9999 || s > 1.0001) exit 1 }' "$scratch/out" &&
        cp "$scratch/out" "$scratch/first" && printf 'Once upon a time\r\nThe end' >"$scratch/lines" && run 0 embed -m "$STORIES" --file "$scratch/lines" -t 1 &&
        cmp -s "$scratch/out" "$scratch/first" && "$LEAT" embed -m "$STORIES" <"$scratch/lines" >"$scratch/out" && cmp -s "$scratch/out" "$scratch/first"
}
options_matter() {
    run 0 embed -m "$STORIES" 'Once upon a time' --json && out_lines 1 && out_has '"index":0,"tokens":5,"pooling":"mean","normalised":true,' &&
        run 0 embed -m "$STORIES" 'Once upon a time' --json --pooling last --no-normalise && out_has '"pooling":"last","normalised":false,' &&
        run 0 embed -m "$STORIES" 'Once upon a time' 'another text' --pooling cls && out_lines 2 &&
        awk 'NR == 1 { split($0, a) } NR == 2 { for (i = 1; i <= NF; i++) if (($i - a[i]) ^ 2 > 1e-10) exit 1 }' "$scratch/out" # the first token is BOS, and sees itself only
}
a_file_of_all() {
    run 0 embed -m "$STORIES" 'Once upon a time' 'The end' 'of it' --output "$scratch/all.npy" && out_lines 0 && head -c 128 "$scratch/all.npy" | grep -aq "'shape': (3, 64,)" &&
        [ "$(wc -c <"$scratch/all.npy")" -eq $((128 + 3 * 64 * 4)) ]
}
too_long_is_named() {
    yes 'once upon a time ' | head -n 1000 | tr -d '\n' >"$scratch/long"
    run 1 embed -m "$STORIES" --file "$scratch/long" && err_has 'text 1: a text of [0-9]+ tokens does not fit the context of'
}

check wrong_use_is_2 wrong_use_is_2
if [ ! -f "$STORIES" ]; then
    echo "skip embed: $STORIES is not there"
    exit 0
fi
for name in wrong_files_are_1 one_line_a_text options_matter a_file_of_all too_long_is_named; do check $name $name; done
