#!/bin/bash
# test_cli_generate.sh - leat generate: the golden text, JSON, several prompts, grammars, stop strings, logits, and what is refused.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

bundled_model() {
    run 0 generate -p 'One day' -n 12 --seed 3 --json && out_has '"tokens":\[([0-9]+,){11}[0-9]+\]|"finish":"eos"' && cp "$scratch/out" "$scratch/first" && run 0 generate -p 'One day' -n 12 --seed 3 --json &&
        [ "$(sed 's/,"timings.*//' "$scratch/out")" = "$(sed 's/,"timings.*//' "$scratch/first")" ]
}
no_mmap() {
    run 0 generate -p 'One day' -n 12 --temp 0 -q && cp "$scratch/out" "$scratch/first" && run 0 generate -p 'One day' -n 12 --temp 0 -q --no-mmap && cmp -s "$scratch/out" "$scratch/first" &&
        head -c 100000 models/tiny_lm.gguf >"$scratch/cut.gguf" && run 1 generate -m "$scratch/cut.gguf" -p x --no-mmap && err_has "cut.gguf: GGUF: " &&
        run 1 generate -m "$scratch" -p x --no-mmap && err_has 'not a regular file' && run 1 generate -m "$scratch/none.gguf" -p x --no-mmap && err_has 'No such file'
}
if [ -f models/tiny_lm.gguf ]; then check "without a model the bundled one speaks" bundled_model; check "a copy in memory speaks as the mapped file" no_mmap; else echo "skip: models/tiny_lm.gguf is not there"; fi

shared=${LEAT_SHARED:-../shared}
stories=$shared/models/llm/stories260K.gguf
[ -f "$stories" ] || { echo "skip: $stories is not there (set LEAT_SHARED)"; exit 0; }
generate() { local status=$1; shift; run "$status" generate -m "$stories" "$@"; }
# same FILE: standard output is this file's content
same() { cmp -s "$scratch/out" "$1" || { echo "stdout is not $1" >>"$scratch/err"; false; }; }

golden_text() {
    for threads in 1 2 3; do
        generate 0 -p '' -n 200 --temp 0 -t $threads && same "$shared/models/golden-llm/stories260K.llama2c-greedy-200.txt" && err_has '^note: length; opened in' || return 1
    done
    for level in ref avx2; do
        generate 0 -p '' -n 200 --temp 0 -q --isa $level && same "$shared/models/golden-llm/stories260K.llama2c-greedy-200.txt" && [ ! -s "$scratch/err" ] || return 1
    done
}
json_fields() {
    generate 0 -p 'Once upon' -n 1 --temp 0 && err_has ', made 1 token, seed' && generate 0 -p 'Once upon' -n 3 --temp 0 && err_has ', made 3 tokens \([0-9.]+/s\), seed' &&
        generate 0 -p Once -n 1 -c 2049 && err_has 'note: the model was made for 2048 tokens' && generate 0 -p Once -n 1 -c 2048 && ! grep -q 'made for' "$scratch/err" &&
        generate 0 -p 'Once upon' -n 3 --temp 0 --json --kv-type f32 && out_lines 1 && out_has '^\{"prompt_tokens":\[1,403,407\],"tokens":\[261,378,432\],"text":" a time,","finish":"length","seed":[0-9]+,"timings":\{"load_ms":' &&
        out_has '"prompt_n":3,"prompt_ms":[0-9.]+,"prompt_per_second":[0-9.]+,"first_token_ms":[0-9.]+,"predicted_n":3,' &&
        generate 0 -p 'Once upon' -n 1 --temp 0 --json --logprobs 2 &&
        out_has '"logprobs":\[\{"token":261,"text":" a","logprob":-0.01[0-9]*,"top":\[\{"token":261,[^}]*\},\{"token":[0-9]+,[^}]*\}\]\}\]'
}
seeds() {
    generate 0 -p 'Once' -n 20 --seed 5 --temp 1.5 && cp "$scratch/out" "$scratch/first" && generate 0 -p 'Once' -n 20 --seed 5 --temp 1.5 -t 1 && same "$scratch/first" &&
        generate 0 -p 'Once' -n 20 --seed 6 --temp 1.5 && ! cmp -s "$scratch/out" "$scratch/first"
}
several_prompts() {
    generate 0 -p 'Once upon' -p 'Tom' -p 'The sun' -n 5 --temp 0 --json --batch 2 && out_lines 3 && cp "$scratch/out" "$scratch/together" && : >"$scratch/alone"
    for prompt in 'Once upon' Tom 'The sun'; do
        generate 0 -p "$prompt" -n 5 --temp 0 --json && cat "$scratch/out" >>"$scratch/alone" || return 1
    done
    [ "$(sed 's/,"finish.*//' "$scratch/together")" = "$(sed 's/,"finish.*//' "$scratch/alone")" ] && generate 0 -p 'Once upon' -p Tom -n 3 --temp 0 && out_has '^ a time,$'
}
prompt_from_file() {
    printf 'Once upon' >"$scratch/prompt"
    generate 0 -f "$scratch/prompt" -n 3 --temp 0 -q && out_has '^ a time,$' && "$LEAT" generate -m "$stories" -f - -n 3 --temp 0 -q <"$scratch/prompt" >"$scratch/out" && out_has '^ a time,$' &&
        LEAT_MAX_TOKENS=2 generate 0 -f "$scratch/prompt" --temp 0 -q && out_has '^ a time$'
}
stops_and_limits() {
    generate 0 -p '' -n 200 --temp 0 --stop 'xyz' --stop ' red ball' --json && out_has 'she saw a big,","finish":"stop"' &&
        generate 0 -p '' -n -1 -c 12 --ignore-eos --json && out_has '"finish":"context"' &&
        generate 0 -p Once -n 5 --logit-bias 2=1e6 --json && out_has '"tokens":\[\],"text":"","finish":"eos"' &&
        generate 0 -p Once -n 5 --logit-bias '</s>=1e6' --ignore-eos --json && out_has '"finish":"length"' &&
        generate 0 -p 'Once upon' -n 1 --temp 0 --logit-bias 261=no --json && out_has '"tokens":\[407\]|"tokens":\[[^2]'
}
grammars() {
    printf 'root ::= " "? ("yes" | "no")' >"$scratch/g.gbnf"
    printf '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}' >"$scratch/s.json"
    printf 'root ::= (' >"$scratch/bad.gbnf"
    generate 0 -p 'Is it?' --grammar "$scratch/g.gbnf" --json && out_has '"text":" ?(yes|no)","finish":"grammar"' &&
        generate 0 -p 'Is it?' --json-schema "$scratch/s.json" --temp 0 --logit-bias 0=0 -n 60 && out_has '^[[:space:]]*\{[[:space:]]*"n"' &&
        generate 1 -p x --grammar "$scratch/bad.gbnf" && err_has 'line 1' && generate 2 -p x --grammar "$scratch/g.gbnf" --json-schema "$scratch/s.json" &&
        generate 1 -p x --grammar nowhere && err_has nowhere
}
logits_to_file() {
    generate 0 -p 'Once upon' -n 0 --logits "$scratch/x.npy" && head -c 128 "$scratch/x.npy" | tr -d '\0' | grep -aq "'<f4'.*(3, 512" && [ "$(wc -c <"$scratch/x.npy")" -eq $((128 + 3 * 512 * 4)) ] &&
        generate 2 -p a -p b --logits "$scratch/x.npy" && generate 1 -p a -n 5 --logits /nonexistent/x.npy && err_has '^leat: /nonexistent/x.npy: No such file' && [ ! -s "$scratch/out" ]
}
specials() {
    generate 0 -p '<s>Once upon' --no-bos --special -n 1 --temp 0 --json && out_has '"prompt_tokens":\[1,403,407\]' && generate 0 -p 'Once upon' --no-bos -n 1 --temp 0 --json &&
        out_has '"prompt_tokens":\[403,407\]'
}
refusals() {
    generate 2 && err_has 'PROMPT' && generate 2 -p x -f y && generate 2 -p x --temp -1 && generate 2 -p x --top-p 2 && generate 2 -p x --mirostat 3 && generate 2 -p x --logit-bias 1 &&
        err_has 'TOKEN=BIAS' && generate 2 -p x --logit-bias 99999=1 && generate 2 -p x --logit-bias 1=abc && generate 1 -p "$(printf 'word %.0s' {1..400})" -c 64 &&
        err_has 'context holds 64|context of 64' && run 1 generate -m nowhere.gguf -p x && err_has nowhere.gguf && run 1 generate -m "$MODEL" -p x && err_has 'not a GGUF file' &&
        run 3 generate -m "$shared/models/gguf-vocab/ggml-vocab-phi-3.gguf" -p x && err_has 'no tensors: it is a vocabulary alone' &&
        generate 1 -p '' --no-bos && err_has 'empty and has no BOS' && generate 2 -p x --stop '' && err_has 'stop'
}
interrupt_keeps_what_is_done() {
    "$LEAT" generate -m "$stories" -p Once -n -1 -c 200000 --ignore-eos --json >"$scratch/out" 2>"$scratch/err" &
    local pid=$! status
    sleep 0.3
    kill -INT $pid
    wait $pid
    status=$?
    [ $status -eq 130 ] && out_has '"finish":"(callback|cancelled)"'
}
writing_fails() { "$LEAT" generate -m "$stories" -p Once -n 20 >/dev/full 2>"$scratch/err"; [ $? -eq 1 ] && err_has 'standard output'; }

check "the golden text, at all threads and levels" golden_text
check "JSON has its fields" json_fields
check "a seed repeats the text" seeds
check "several prompts together are as alone" several_prompts
check "a prompt from a file or standard input" prompt_from_file
check "stop strings, limits, ends" stops_and_limits
check "grammars and schemas" grammars
check "logits of the prompt" logits_to_file
check "control tokens and BOS" specials
check "what is wrong is refused" refusals
check "an interrupt keeps what is done" interrupt_keeps_what_is_done
check "a full disk is told" writing_fails
