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
        run 0 perplexity -m "$TALES" -f "$scratch/text" -c 64 --chunks 1 && out_has '^perplexity [1-9]\.[0-9]+ \+- .* 1 chunk of 64,' &&
        run 0 perplexity -m "$TALES" -f - <"$scratch/text" && out_has '^perplexity'
}
perplexity_says_what_is_missing() {
    echo a >"$scratch/short"
    run 2 perplexity -m "$TALES" && run 1 perplexity -m "$TALES" -f "$scratch/none" && err_has 'none: No such file' &&
        run 1 perplexity -m "$TALES" -f "$scratch/short" && err_has 'too few, 4 at least' && run 1 perplexity -m "$MODEL" -f "$scratch/text" && err_has 'GGUF'
}
inspect_checks_the_whole() {
    run 0 inspect --check "$TALES" && out_has 'architecture llama and every tensor are supported' && run 0 inspect --check --json "$TALES" && out_has '"unsupported":\[\]' &&
        sed 's/llama/LLAMA/' "$TALES" >"$scratch/odd.gguf" && run 3 inspect --check "$scratch/odd.gguf" && out_has "odd.gguf: GGUF: general.architecture 'LLAMA' is not supported" &&
        run 3 inspect --check "$scratch/odd.gguf" --json && out_has '"unsupported":\[".*LLAMA' && run 0 inspect "$scratch/odd.gguf" &&
        run 1 inspect --check fuzz/corpus/fuzz_gguf/small.gguf && err_has "'llama.block_count' is missing"
}
other_kinds_are_named() {
    run 1 run "$TALES" && err_has 'tiny_lm.gguf: this is a GGUF file, not an ONNX model' && run 1 inspect --dot "$TALES.none" && run 0 inspect --shape x=1 "$TALES" &&
        err_has 'note: --shape is for ONNX models' && run 0 bench "$TALES" -p 4 -n 0 -r 1 --measure 0 --per-op && err_has 'note: --per-op is for ONNX models' &&
        run 0 bench "$MODEL" "${SHAPE[@]}" --duration 0.01 --warmup 0 --measure 0 -n 4 && err_has 'note: --new-tokens is for language models' && ! grep -q prompt-tokens "$scratch/err"
}
numbers_are_whole() {
    run 2 generate -p x --seed -1 && err_has "'-1' is not an integer from 0 to 9007199254740992$" && run 2 generate -p x extra && err_has 'usage: leat generate \[OPTION\]\.\.\.$'
}
for name in inspect_checks_the_whole other_kinds_are_named numbers_are_whole bench_counts_tokens bench_takes_one_kind bench_tells_the_ceiling perplexity_of_what_it_knows perplexity_says_what_is_missing; do check $name $name; done
