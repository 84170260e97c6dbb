#!/bin/bash
# test_cli.sh - the contracts of the command line: statuses, options, environment, streams, JSON, interrupts.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

help_of_every_command() {
    for command in inspect run bench classify detect track cpu completion version help; do
        run 0 "$command" --help && out_has '^usage: leat' && out_has '^examples:' && out_has '--quiet' || return 1
    done
}
reference_is_current() { run 0 help --markdown && diff -u docs/cli.md "$scratch/out" >>"$scratch/err"; }
completion_is_a_script() {
    run 0 completion bash && bash -n "$scratch/out" && out_has 'complete .* leat' && run 0 completion zsh && out_has '#compdef leat' &&
        run 0 completion fish && out_has 'complete -c leat' && run 2 completion tcsh
}
bash_completes() {
    run 0 completion bash
    (. "$scratch/out"; COMP_WORDS=(leat bench --per); COMP_CWORD=2; _leat; [ "${COMPREPLY[*]}" = --per-op ])
}
wrong_usage_is_2() {
    run 2 && run 2 frobnicate && err_has frobnicate && run 2 run && run 2 run a.onnx b.onnx && run 2 run a.onnx --nonsense &&
        run 2 run "$MODEL" -t many && err_has "'many' is not an integer" && run 2 bench "$MODEL" -o xml && run 2 bench "$MODEL" -r 0 &&
        run 2 run "$MODEL" --shape && run 2 run "$MODEL" --random 1 --shape nosuch=1 && err_has nosuch
}
missing_content_is_named() {
    run 2 run "$MODEL" && err_has "input 'image'" && err_has '--shape image=' && run 2 run "$MODEL" "${SHAPE[@]}" && err_has '--random'
}
missing_file_is_1() { run 1 inspect nowhere.onnx && err_has 'nowhere.onnx' && run 1 classify "$MODEL" nowhere.png; }
flag_wins_over_environment() {
    LEAT_JSON=1 run 0 version && out_has '^\{' && LEAT_JSON=1 run 0 version --json=no && out_has '^leat ' &&
        LEAT_RANDOM=x run 2 run "$MODEL" "${SHAPE[@]}" && err_has LEAT_RANDOM && LEAT_RANDOM=3 run 0 run "$MODEL" "${SHAPE[@]}"
}
options_in_every_form() {
    run 0 run "$MODEL" -t1 --random=1 --shape=image=1x3x64x64 -j && out_has '"threads":1' &&
        run 0 run --random 1 -jt 1 --shape batch=2 --shape height=64 --shape width=80 -- "$MODEL" && out_has '"shape":\[2,3\]'
}
json_is_one_object() {
    for arguments in "version" "cpu --measure 0" "inspect $MODEL" "inspect $MODEL --shape image=1x3x64x64" "run $MODEL --random 1 --shape image=1x3x64x64"; do
        run 0 $arguments --json && out_lines 1 && out_has '^\{.*\}$' || return 1
    done
    out_has '"outputs":\[\{"name":"logits"'
}
full_disk_is_reported() {
    "$LEAT" help --markdown >/dev/full 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'No space left'
}
closed_pipe_is_quiet() {
    "$LEAT" help --markdown 2>"$scratch/err" | :
    [ "${PIPESTATUS[0]}" -le 1 ] && [ ! -s "$scratch/err" ]
}
interrupt_keeps_what_is_done() {
    "$LEAT" bench "$MODEL" "${SHAPE[@]}" --duration 60 --measure 0 -t 1 >"$scratch/out" 2>"$scratch/err" &
    sleep 1
    kill -INT $!
    wait $!
    [ $? -eq 130 ] && out_has 'abacus_cells.onnx'
}
no_colour_in_files() { run 2 frobnicate && ! grep -q $'\033' "$scratch/err"; }
isa_is_obeyed() {
    run 0 cpu --measure 0 --isa ref && out_has 'in use +ref' && LEAT_ISA=ref run 0 cpu --measure 0 --json && out_has '"isa_selected":"ref"' &&
        run 2 cpu --isa mmx
}
bench_in_every_form() {
    local quick=(bench "$MODEL" "${SHAPE[@]}" -r 5 --warmup 0 --measure 0 -t 1)
    run 0 "${quick[@]}" && out_has '^\| model' && run 0 "${quick[@]}" -o csv && out_lines 2 && run 0 "${quick[@]}" "$MODEL" -o jsonl && out_lines 2 &&
        run 0 "${quick[@]}" -o json --contexts 2 && out_lines 1 && out_has '"runs":10,' && out_has '"run_allocations":0,'
}
bench_says_where_time_goes() {
    run 0 bench "$MODEL" "${SHAPE[@]}" -r 5 --measure 50 -t 1 --per-op --profile "$scratch/trace.json" && out_has 'slowest nodes' && out_has 'Conv' &&
        grep -q '"traceEvents":\[{' "$scratch/trace.json" && [ "$(ls "$scratch" | grep -c trace)" -eq 1 ]
}

for test in help_of_every_command reference_is_current completion_is_a_script bash_completes wrong_usage_is_2 missing_content_is_named \
    missing_file_is_1 flag_wins_over_environment options_in_every_form json_is_one_object full_disk_is_reported closed_pipe_is_quiet \
    interrupt_keeps_what_is_done no_colour_in_files isa_is_obeyed bench_in_every_form bench_says_where_time_goes; do
    check "$test" "$test"
done
