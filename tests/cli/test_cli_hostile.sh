#!/bin/bash
# test_cli_hostile.sh - language models at the command line with wrong files, wrong numbers, full disks and closed pipes: each is told by name, nothing is lost.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
TALES=models/tiny_lm.gguf
: >"$scratch/empty.gguf"
: >"$scratch/nothing"
head -c 500000 "$TALES" >"$scratch/cut.gguf"
printf 'GGUF is not all of it' >"$scratch/text.gguf"
seq 1 400 >"$scratch/lines"

# told WORD ARGUMENT...: fails with status 1 and a message that begins with the file and has the word
told() { local word=$1; shift; run 1 "$@" && err_has "^leat: .*$word" && [ "$(grep -c '^leat: ' "$scratch/err")" -eq 1 ]; }

wrong_models() {
    local command file
    for command in "generate -p x -m" "chat -m" "tokenize x -m" "perplexity -f $scratch/lines -m" "embed x -m" inspect "bench -p 4 -n 4 --measure 0"; do
        told "none.gguf: No such file" $command "$scratch/none.gguf" && told "$scratch: not a regular file" $command "$scratch" && told 'empty.gguf: not a GGUF file' $command "$scratch/empty.gguf" &&
            told 'cut.gguf: GGUF: the data of tensor .* past the end of the file' $command "$scratch/cut.gguf" && told 'text.gguf: ' $command "$scratch/text.gguf" && [ ! -s "$scratch/out" ] || return 1
    done
}
wrong_texts() {
    told 'none: No such file' generate -f "$scratch/none" && told "$scratch: Is a directory" generate -f "$scratch" && told "$scratch: Is a directory" tokenize -m $TALES -f "$scratch" &&
        told 'none: No such file' perplexity -f "$scratch/none" && told 'too few' perplexity -f "$scratch/nothing" && told 'none: No such file' embed -m $TALES --file "$scratch/none" &&
        told 'none: No such file' generate -p x --grammar "$scratch/none" && told "nothing: grammar: there is no rule 'root'" generate -p x --grammar "$scratch/nothing" &&
        told 'nothing: schema: line 1: not JSON' generate -p x --json-schema "$scratch/nothing" && run 0 generate -f "$scratch/nothing" -n 3 -q &&
        head -c 10000000 /dev/zero | tr '\0' a >"$scratch/huge" && told 'the prompt has [0-9]+ tokens, and the context holds 320: shorten it' generate -f "$scratch/huge" &&
        printf '\377\376\200abc' >"$scratch/bytes" && run 0 generate -f "$scratch/bytes" -n 3 --temp 0 --json && out_has '"finish":"length"'
}
wrong_numbers() {
    local option
    for option in '-n -2' '-n abc' '-n 99999999999999999999' '--temp nan' '--temp -1' '--top-p 2' '--top-k -1' '--seed -1' '-c -1' '-c 99999999' '-t -1' '-t 257' '--logprobs 65' '--mirostat 3' \
        '--kv-type q5' '--logit-bias abc' '--logit-bias 99999=1' '--logit-bias 5=nan' '--isa sse9' '--nosuch' '-Q' 'extra'; do
        run 2 generate -p x $option && err_has '^leat: ' && [ ! -s "$scratch/out" ] || return 1
    done
    run 2 generate -p x --stop '' && err_has 'stop' && run 2 tokenize -m $TALES --decode 'a b' && err_has 'no ids' && run 2 tokenize -m $TALES --decode '5 1024' && err_has '1024' &&
        run 2 bench $TALES -p 0 -n 0 --measure 0 && err_has 'nothing to measure' && run 0 generate -p x -n 0 -q && run 0 generate -p x -n -1 -c 8 --ignore-eos --json && out_has '"finish":"context"'
}
# A device is written to, and is still a device afterwards; a link is followed; what was there before is there after a failure.
full_disks() {
    ln -s /dev/full "$scratch/full" # by a link, so that a test that fails takes no device away
    told 'full: No space left' generate -p x -n 0 -q --logits "$scratch/full" && told 'full: No space left' embed -m $TALES x --output "$scratch/full" && [ -c "$scratch/full" ] || return 1
    printf 'hello\n/save %s\n' "$scratch/full" >"$scratch/talk"
    "$LEAT" chat -n 3 -q <"$scratch/talk" >"$scratch/out" 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'full: No space left' && [ -c "$scratch/full" ] || return 1
    run 0 embed -m $TALES x --output /dev/stdout && head -c 6 "$scratch/out" | grep -q NUMPY || return 1
    printf old >"$scratch/target.npy"
    ln -s target.npy "$scratch/link.npy"
    (ulimit -f 1; run 1 embed -m $TALES --file "$scratch/lines" --output "$scratch/link.npy" -q) && grep -q 'link.npy: File too large' "$scratch/err" &&
        [ "$(cat "$scratch/target.npy")" = old ] && [ "$(ls "$scratch" | grep -c npy)" -eq 2 ] &&
        run 0 embed -m $TALES x --output "$scratch/link.npy" && [ -L "$scratch/link.npy" ] && head -c 6 "$scratch/target.npy" | grep -q NUMPY
}
closed_outputs() {
    local command
    for command in "generate -p x -n 50 --ignore-eos" "tokenize -m $TALES -f $scratch/lines" "inspect $TALES" "embed -m $TALES x" "perplexity -f $scratch/lines -c 64 --chunks 2" "generate -p x -n 5 --json"; do
        exec 9> >(true) && wait $! # a pipe whose reader is gone
        "$LEAT" $command -q >&9 2>"$scratch/err"
        [ $? -eq 1 ] && [ ! -s "$scratch/err" ] || return 1
        exec 9>&-
        "$LEAT" $command -q >&- 2>"$scratch/err"
        [ $? -eq 1 ] && err_has 'standard output: Bad file descriptor' || return 1
        "$LEAT" $command -q >/dev/full 2>"$scratch/err"
        [ $? -eq 1 ] && err_has 'standard output: No space left' || return 1
    done
}
# What was finished is there: the texts embedded so far, the perplexity of the chunks so far.  Whether anything was depends on the machine: later and later.
interrupted() {
    local after
    for after in 0.3 1 3 9; do
        timeout --preserve-status -s INT $after "$LEAT" "$@" -q >"$scratch/out" 2>"$scratch/err"
        [ $? -eq 130 ] && [ ! -s "$scratch/err" ] || return 1
        [ -s "$scratch/out" ] || [ -s "$scratch/part.npy" ] && return
    done
    return 1
}
interrupts() {
    awk 'BEGIN { for (n = 0; n < 5000; n++) { for (i = 1; i <= 60; i++) printf "%d ", i; print "" } }' >"$scratch/long"
    interrupted perplexity -f "$scratch/long" -c 256 --json && out_has '"perplexity":[0-9]' &&
        interrupted embed -m $TALES --file "$scratch/long" --output "$scratch/part.npy" && head -c 6 "$scratch/part.npy" | grep -q NUMPY
}
if [ ! -f $TALES ]; then echo "skip: $TALES is not there"; exit 0; fi
check "wrong models" wrong_models
check "wrong texts, grammars, schemas" wrong_texts
check "wrong numbers and options" wrong_numbers
check "full disks, devices, links" full_disks
check "closed outputs" closed_outputs
check "interrupts keep what is finished" interrupts
