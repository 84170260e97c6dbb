#!/bin/bash
# test_cli_circlefit.sh - `leat circlefit`: outputs, modes, limits, interrupts; killed at random moments and resumed it ends in the same bytes.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
REF=models/demo/upper_1.jpg
kills=${LEAT_KILLS:-4} # moments at which each kind of run is killed

all_outputs_are_written() {
    run 0 circlefit "$REF" -k 12 --sweeps 3 -o "$scratch/a.png" --svg "$scratch/a.svg" --json "$scratch/a.json" --geometrize "$scratch/g.json" \
        --frames "$scratch/frames" --trace "$scratch/a.jsonl" --diff "$scratch/d.png" --colormap magma && out_lines 1 && out_has '12 circles' || return 1
    [ "$(grep -c '<circle ' "$scratch/a.svg")" -eq 12 ] && [ "$(grep -c '"opacity"' "$scratch/a.json")" -eq 12 ] && [ "$(grep -c '"type": 32' "$scratch/g.json")" -eq 12 ] &&
        [ "$(head -c 4 "$scratch/a.png" | tail -c 3)" = PNG ] && [ -s "$scratch/d.png" ] && [ "$(ls "$scratch/frames" | wc -l)" -ge 12 ] && [ "$(wc -l <"$scratch/a.jsonl")" -ge 12 ] &&
        head -1 "$scratch/a.jsonl" | grep -q '"circles":1,.*"psnr_db":'
}
circles_are_read_back() {
    run 0 circlefit "$REF" -k 8 --sweeps 0 --json "$scratch/8.json" -o "$scratch/8.png" &&
        run 0 circlefit "$REF" -k 8 --sweeps 0 --init "$scratch/8.json" --json "$scratch/again.json" -o "$scratch/again.png" && cmp "$scratch/8.json" "$scratch/again.json" &&
        cmp "$scratch/8.png" "$scratch/again.png" && run 0 circlefit "$REF" -k 11 --sweeps 0 --init "$scratch/8.json" --json "$scratch/11.json" && out_has '11 circles' &&
        [ "$(head -9 "$scratch/8.json" | md5sum)" = "$(head -9 "$scratch/11.json" | sed '9s/,$//' | md5sum)" ] || return 1
    printf '[{"x": 20, "y": 20, "r": 9, "color": "#ff8000"}, {"x": 3, "y": 4, "r": 5, "color": "#000000", "opacity": 0.5}]' >"$scratch/hand.json"
    run 0 circlefit "$REF" --mode polish --init "$scratch/hand.json" && out_has ' 2 circles'
}
every_algorithm_runs() {
    for algorithm in mayfly desma olce eobbma gsasma mpma aoblmoa de de-best jade; do
        run 0 circlefit "$REF" -k 3 -n 6 -p 8 --mode joint -a $algorithm && out_has '3 circles' && run 0 circlefit "$REF" -k 3 -n 6 -p 8 --mode batch -b 2 -a $algorithm || return 1
    done
}
limits_stop() {
    run 0 circlefit "$REF" -k 40 --target-psnr 14 && out_has 'target$' && run 0 circlefit "$REF" -k 40 --max-evaluations 9000 && out_has 'evaluations$' &&
        run 0 circlefit "$REF" -k 2000 --time-limit 0.2 && out_has 'time$'
}
threads_do_not_matter() {
    run 0 circlefit "$REF" -k 15 --sweeps 3 -t 1 --json "$scratch/t1.json" && run 0 circlefit "$REF" -k 15 --sweeps 3 -t 3 --json "$scratch/t3.json" && cmp "$scratch/t1.json" "$scratch/t3.json"
}
isa_does_not_matter() {
    run 0 circlefit "$REF" -k 15 --sweeps 3 --isa ref --json "$scratch/ref.json" && run 0 circlefit "$REF" -k 15 --sweeps 3 --json "$scratch/best.json" && cmp "$scratch/ref.json" "$scratch/best.json"
}
wrong_usage_is_2() {
    run 2 circlefit && run 2 circlefit "$REF" -k 0 && err_has "'0' is not a number" && run 2 circlefit "$REF" --mode joint -a climb && err_has 'needs an optimiser' &&
        run 2 circlefit "$REF" --mode polish && err_has 'initial circles' && run 2 circlefit "$REF" --resume x -k 5 && err_has 'comes from the checkpoint' &&
        run 1 circlefit nowhere.png && run 1 circlefit "$REF" --resume "$scratch/nowhere" && err_has nowhere
}
bad_inputs_are_named() {
    printf '[{"x": 1, "y": 2}]' >"$scratch/bad.json"
    run 1 circlefit "$REF" --init "$scratch/bad.json" && err_has 'circle 0 needs a number "r"' || return 1
    printf '[{"x": 1, "y": 2, "r": -4, "color": "#000000"}]' >"$scratch/bad.json"
    run 1 circlefit "$REF" --init "$scratch/bad.json" && err_has 'bad.json' && run 1 circlefit "$REF" --canvas models/demo/nowhere.png || return 1
    run 0 circlefit "$REF" -k 3 --checkpoint "$scratch/c" && run 1 circlefit models/demo/lower_1.jpg --resume "$scratch/c" && err_has 'another reference' &&
        head -c 500 "$scratch/c" >"$scratch/cut" && run 1 circlefit "$REF" --resume "$scratch/cut" && err_has 'truncated' &&
        run 1 circlefit "$REF" --resume "$REF" && err_has 'not a checkpoint|not one'
}
interrupt_keeps_the_best() {
    "$LEAT" circlefit "$REF" -k 3000 -t 1 -o "$scratch/i.png" --checkpoint "$scratch/i.ckpt" >"$scratch/out" 2>"$scratch/err" &
    sleep 0.7
    kill -INT $!
    wait $!
    [ $? -eq 130 ] && out_has interrupted && [ -s "$scratch/i.png" ] && [ -s "$scratch/i.ckpt" ] && run 0 circlefit "$REF" --resume "$scratch/i.ckpt" --max-evaluations 1
}
# survives OPTION...: the run is killed at random moments; what the last process writes is what one that was never stopped writes.
survives() {
    local n=0 status
    rm -f "$scratch"/k.* "$scratch"/w.*
    run 0 circlefit "$REF" -t 1 "$@" -o "$scratch/w.png" --json "$scratch/w.json" --trace "$scratch/w.jsonl" || return 1
    local resume=()
    while :; do
        "$LEAT" circlefit "$REF" -t 1 $([ -s "$scratch/k.ckpt" ] && echo --resume "$scratch/k.ckpt" || echo "$@") -o "$scratch/k.png" --json "$scratch/k.json" \
            --trace "$scratch/k.jsonl" --checkpoint "$scratch/k.ckpt" --checkpoint-every 0 >"$scratch/out" 2>"$scratch/err" &
        if [ $n -lt "$kills" ]; then
            sleep "0.0$((RANDOM % 9 + 1))"
            kill -9 $! 2>/dev/null
        fi
        wait $! 2>/dev/null
        status=$?
        [ $status -eq 0 ] && break
        [ $status -eq 137 ] && n=$((n + 1)) || return 1
    done
    strip() { sed 's/,"elapsed_s":[^}]*//' "$1"; }
    [ $n -gt 0 ] && cmp "$scratch/k.png" "$scratch/w.png" && cmp "$scratch/k.json" "$scratch/w.json" && cmp <(strip "$scratch/k.jsonl") <(strip "$scratch/w.jsonl") &&
        [ "$(ls "$scratch" | grep -c '^k\.')" -le 14 ]
}
killed_climbing() { survives -k 60 --sweeps 40 --patience 0; }
killed_jointly() { survives -k 12 -n 600 -p 20 --mode joint -a olce; }
killed_in_batches() { survives -k 10 -n 300 -p 16 --mode batch -b 3 -a jade --solve-color; }

for test in all_outputs_are_written circles_are_read_back every_algorithm_runs limits_stop threads_do_not_matter isa_does_not_matter wrong_usage_is_2 \
    bad_inputs_are_named interrupt_keeps_the_best killed_climbing killed_jointly killed_in_batches; do
    check "$test" "$test"
done
