#!/bin/bash
# test_cli_chat.sh - leat chat: turns, commands, files, interrupts, JSON lines, schemas, and what is refused.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

shared=${LEAT_SHARED:-../shared}
stories=$shared/models/llm/stories260K.gguf
shared_there=1
[ -f "$stories" ] || { shared_there=; stories=models/tiny_lm.gguf; }
# talk STATUS INPUT ARGUMENT...
talk() {
    local expected=$1 input=$2 status
    shift 2
    printf '%b' "$input" | "$LEAT" chat -m "$stories" --template plain --temp 0 -t 1 "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    [ $status -eq "$expected" ] || { echo "status $status, expected $expected: leat chat $*" >>"$scratch/err"; false; }
}

turns() {
    talk 0 'Once upon a time\nAnd then?\n' -n 20 -q && out_lines 2 && [ ! -s "$scratch/err" ] && cp "$scratch/out" "$scratch/first" &&
        talk 0 'Once upon a time\n/reset\nOnce upon a time\n' -n 20 -q && out_lines 2 && [ "$(sort -u "$scratch/out" | wc -l)" = 1 ] &&
        head -n 1 "$scratch/first" | cmp -s - <(head -n 1 "$scratch/out")
}
joined_lines() { talk 0 'Once upon \\\na time\n//exit\n/exit\nnot read\n' -n 5 -q && out_lines 2; }
json_lines() {
    talk 0 'Once\nTwice\n' -n 4 --json --system 'Be brief.' -q && out_lines 2 &&
        out_has '^\{"role":"assistant","content":"[^"]*","finish":"length","tokens":4,"seed":[0-9]+,"timings":\{"load_ms":'
}
# The second turn finds in the session what the first one evaluated.
reuse() { talk 0 'Once upon a time there was a little girl\nMore\n' -n 8 --json -q && tail -n 1 "$scratch/out" >"$scratch/last" && grep -qE '"cache_n":([2-9][0-9]|1[0-9][0-9])' "$scratch/last"; }
files() {
    talk 0 "Once upon a time\n/save $scratch/t.json\nAnd then?\n" -n 12 -q && tail -n 1 "$scratch/out" >"$scratch/want" && [ -s "$scratch/t.json" ] && [ -s "$scratch/t.json.kv" ] &&
        talk 0 "/load $scratch/t.json\nAnd then?\n" -n 12 -q && cmp -s "$scratch/out" "$scratch/want" &&
        echo damaged >"$scratch/t.json.kv" && talk 0 "/load $scratch/t.json\nAnd then?\n" -n 12 && err_has 'evaluated anew' && cmp -s "$scratch/out" "$scratch/want" &&
        echo '{"messages": [{"role": "user"}]}' >"$scratch/bad.json" && talk 1 "/load $scratch/bad.json\n" && err_has 'message 0 has no' && talk 1 '/load /nonexistent/x\n' && err_has 'unable to open /nonexistent/x'
}
deep_json() {
    local brackets
    for brackets in 3000 300000; do
        { printf '{"messages":'; head -c $brackets /dev/zero | tr '\0' '['; } >"$scratch/deep.json" && talk 1 "/load $scratch/deep.json\nOnce\n" -n 2 -q && err_has 'line 1: maximum parsing depth' && out_lines 1 || return 1
    done
}
constrained() {
    echo '{"type":"object","properties":{"age":{"type":"integer","minimum":7,"maximum":8}},"required":["age"]}' >"$scratch/schema.json"
    talk 0 'Tell me\n' --json-schema "$scratch/schema.json" --json -q && out_has '"content":"\{.*age.*: ?[78].*\}","finish":"grammar"' || return 1
    echo 'root ::= "a" x' >"$scratch/bad.gbnf"
    talk 1 'Tell me\n' --grammar "$scratch/bad.gbnf" && err_has "rule 'x' is used but not defined" && [ ! -s "$scratch/out" ] &&
        echo '{"not":{}}' >"$scratch/not.json" && talk 3 'Tell me\n' --json-schema "$scratch/not.json" && err_has "'not' is not supported" && [ ! -s "$scratch/out" ]
}
context_full() { talk 0 'One\nTwo\nThree\nFour\nFive\nSix\nSeven\nEight\n' -n 12 -c 96 && out_lines 8 && err_has 'oldest messages are forgotten'; }
# An interrupt ends the reply and not the program; one while nothing is made ends the program.
interrupted() {
    mkfifo "$scratch/in"
    "$LEAT" chat -m "$stories" --template raw --ignore-eos-is-no-option <"$scratch/in" >/dev/null 2>&1 &
    exec 7>"$scratch/in" 7>&-
    wait $! ; [ $? -eq 2 ] || return 1
    "$LEAT" chat -m "$stories" --template raw --temp 0 -t 1 -n -1 -c 8192 --logit-bias 2=no --logit-bias 1=no <"$scratch/in" >"$scratch/out" 2>"$scratch/err" &
    local pid=$!
    exec 7>"$scratch/in"
    echo 'Once upon a time' >&7
    for i in $(seq 100); do [ -s "$scratch/out" ] && break; sleep 0.05; done
    kill -INT $pid
    for i in $(seq 200); do grep -q 'was interrupted' "$scratch/err" && break; sleep 0.05; done
    err_has 'the reply was interrupted' && kill -0 $pid || { kill $pid; return 1; }
    kill -INT $pid
    exec 7>&-
    wait $pid
    [ $? -eq 130 ] || { echo "not 130" >>"$scratch/err"; false; }
}
refused() {
    run 3 chat -m "$stories" </dev/null && err_has 'no chat template; choose one by name \(--template NAME\)' && run 2 chat -m "$stories" --template nonesuch </dev/null && err_has 'there are: .*chatml' &&
        talk 3 'Hello\n' --template chatml-own && err_has 'give one \(--system TEXT\)' && talk 0 'Hello\n' --template chatml-own --system 'Be brief.' -n 3 &&
        talk 2 '/nonesuch\n' && err_has '/reset' && run 1 chat -m /nonexistent.gguf </dev/null
}
# These need a model that has no template, writes no line breaks and never ends.
if [ "$shared_there" ]; then
    check "turns, the same again after /reset" turns
    check "what is refused" refused
    check "interrupts" interrupted
else
    for name in turns refused interrupts; do echo "skip $name: $shared/models/llm/stories260K.gguf is not there (set LEAT_SHARED)"; done
fi
check "joined lines, slashes, /exit" joined_lines
check "JSON lines" json_lines
check "a turn reuses the session" reuse
check "/save and /load" files
check "deep nesting in a conversation's file" deep_json
check "schemas and grammars" constrained
check "a full context drops the oldest messages" context_full
