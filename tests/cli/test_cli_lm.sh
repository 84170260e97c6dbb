#!/bin/bash
# test_cli_lm.sh - bench and perplexity of language models, on the bundled one.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
TALES=models/tiny_lm.gguf
for _ in 1 2 3 4 5 6; do
    echo 'Once there lived a red fox. Her name was Dot. She liked to eat berries. One sunny day Dot was on the hill. Dot had brought her blue kite.'
done >"$scratch/text"

bench_counts_tokens() {
    local quick=(bench "$TALES" -p 16 -n 8 -r 2 --measure 0 -t 1,2)
    run 0 "${quick[@]}" && out_lines 6 && out_has '\| +1 \| pp16 \|' && out_has '\| +2 \| +tg8 \|' && run 0 "${quick[@]}" -o csv && out_lines 5 && out_has '^model,kind,' &&
        run 0 "${quick[@]}" -o jsonl && out_lines 4 && out_has '"first_token_ms"' && run 0 "${quick[@]}" -o json && out_lines 1 && out_has '"test":"tg8","tokens":8,"runs":2' &&
        out_has '"run_allocations":0' && ! out_has '"run_allocations":[1-9]' 2>/dev/null
}
bench_takes_one_kind() {
    run 2 bench "$TALES" "$MODEL" && err_has 'both kinds' && run 2 bench "$TALES" -t 1,x && err_has "'1,x' is not a list" && run 2 bench "$TALES" -t 1,2,
}
bench_tells_the_ceiling() {
    run 0 bench "$TALES" -p 16 -n 8 -r 1 -t 1 -o json && out_has '"int8_peak_percent":[0-9]' && out_has '"read_bandwidth_percent":[0-9]'
}
perplexity_of_what_it_knows() {
    run 0 perplexity -m "$TALES" -f "$scratch/text" -c 64 --json && out_lines 1 && out_has '"chunks":[2-9],"context":64' && out_has '"perplexity":[1-9]\.' &&
        run 0 perplexity -m "$TALES" -f "$scratch/text" -c 64 --chunks 1 && out_has '^perplexity [1-9]\.[0-9]+ \+- .* 1 chunks of 64' &&
        run 0 perplexity -m "$TALES" -f - <"$scratch/text" && out_has '^perplexity'
}
perplexity_says_what_is_missing() {
    echo a >"$scratch/short"
    run 2 perplexity -m "$TALES" && run 1 perplexity -m "$TALES" -f "$scratch/none" && err_has 'none: No such file' &&
        run 1 perplexity -m "$TALES" -f "$scratch/short" && err_has 'too few' && run 1 perplexity -m "$MODEL" -f "$scratch/text" && err_has 'GGUF'
}
for name in bench_counts_tokens bench_takes_one_kind bench_tells_the_ceiling perplexity_of_what_it_knows perplexity_says_what_is_missing; do check $name $name; done
