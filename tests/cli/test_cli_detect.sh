#!/bin/bash
# test_cli_detect.sh - `leat track` and `leat detect`: outputs, options, hard inputs, interrupts.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

# Two objects that cross, frames 1 to 40, the second one missing in frames 15 to 20, a stray box in frame 7.
detections() {
    awk 'BEGIN { for (f = 1; f <= 40; f++) {
        printf "%d,-1,%d,100,40,40,0.9\n", f, 50 + 4 * f
        if (f < 15 || f > 20) printf "%d,-1,%d,130,30,30,0.8\n", f, 300 - 4 * f
        if (f == 7) print "7,-1,500,300,20,20,0.9" } }'
}
tracks_are_followed() {
    detections >"$scratch/det.txt"
    run 0 track "$scratch/det.txt" && out_lines 74 && [ "$(cut -d, -f2 "$scratch/out" | sort -u | tr '\n' ' ')" = "1 2 " ] && err_has '2 tracks' &&
        run 0 track "$scratch/det.txt" --track none && out_lines 75
}
tracks_go_to_a_file() {
    detections >"$scratch/det.txt"
    run 0 track "$scratch/det.txt" -o "$scratch/tracks.txt" --json && out_lines 1 && out_has '"tracks":2' && [ "$(wc -l <"$scratch/tracks.txt")" -eq 74 ] &&
        detections | run 0 track - -q && out_lines 74 && [ ! -s "$scratch/err" ]
}
track_options_count() {
    detections >"$scratch/det.txt"
    run 0 track "$scratch/det.txt" --conf 0.85 && out_lines 40 && run 0 track "$scratch/det.txt" --min-hits 1 && out_lines 75 &&
        run 0 track "$scratch/det.txt" --max-age 2 && [ "$(cut -d, -f2 "$scratch/out" | sort -u | wc -l)" -eq 3 ]
}
bad_tracks_are_named() {
    printf '1,1,0,0,5,5\n2,1,zero,0,5,5\n' >"$scratch/bad.txt"
    run 1 track "$scratch/bad.txt" && err_has 'bad.txt: line 2' && out_lines 0 && run 1 track "$scratch/nowhere.txt" && err_has nowhere &&
        run 2 track && run 2 track "$scratch/bad.txt" --track magic && : >"$scratch/none.txt" && run 0 track "$scratch/none.txt" && out_lines 0 &&
        detections >"$scratch/det.txt" && run 2 track "$scratch/det.txt" --json && run 1 track "$scratch/det.txt" -o /nowhere/t.txt && err_has nowhere
}
full_disk_is_told() {
    detections >"$scratch/det.txt"
    "$LEAT" track "$scratch/det.txt" >/dev/full 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'standard output'
}


# ---- detect, with the bundled model on a synthetic scene ----
SCENE=scene:seed=7,size=320x240,frames=12
FRAME='^\{"frame":[0-9]+,"pts_ns":[0-9]+,"detections":\[(\{"track":(null|[0-9]+),"class":[01],"label":"(coin|bead)","score":[0-9.]+,"box":\[[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+\]\},?)*\]\}$'
lines_of() { [ "$(wc -l <"$1")" -eq "$2" ] || { echo "$1 has $(wc -l <"$1") lines, expected $2" >>"$scratch/err"; false; }; }
all_frames() { ! grep -qvE "$FRAME" "$1" || { echo "$1: a line is not as documented" >>"$scratch/err"; false; }; }
in_order() { [ "$(sed 's/^{"frame":\([0-9]*\),.*/\1/' "$1" | tr '\n' ' ')" = "$(seq -s ' ' 0 $(($2 - 1))) " ]; }

frames_are_lines() {
    run 0 detect $SCENE --json -q && out_lines 12 && all_frames "$scratch/out" && in_order "$scratch/out" 12 && out_has '"score"' && [ ! -s "$scratch/err" ] &&
        run 0 detect $SCENE && out_has '^frame 11, .* found' && out_has ' % .*(coin|bead)' && err_has '^rate .*frames/s'
}
outputs_go_by_suffix() {
    run 0 detect $SCENE --out "$scratch/a.jsonl" --out "$scratch/a.y4m" --out "$scratch/f%02d.png" --out null --track byte --overlay --json &&
        out_lines 1 && out_has '"frames":."in":12,"out":12.*"stages":\[.*"draw".*"links":.*"decoder":"yolov5"' && lines_of "$scratch/a.jsonl" 12 && all_frames "$scratch/a.jsonl" &&
        grep -q '"track":[0-9]' "$scratch/a.jsonl" && [ -s "$scratch/f11.png" ] && head -c 9 "$scratch/a.y4m" | grep -q YUV4MPEG2 &&
        run 3 detect $SCENE --out "$scratch/a.xyz" && run 1 detect $SCENE --out /nowhere/a.jsonl && err_has nowhere
}
threads_do_not_matter() {
    run 0 detect $SCENE --json -q --track sort && cp "$scratch/out" "$scratch/one" &&
        run 0 detect $SCENE --json -q --track sort --replicas infer=2 --in-flight 6 && cmp "$scratch/one" "$scratch/out" &&
        run 0 detect $SCENE --json -q --track sort --in-flight 1 -t 1 && cmp "$scratch/one" "$scratch/out"
}
thresholds_reach_the_code() {
    boxes() { run 0 detect $SCENE --json -q "$@" && grep -o '"score"' "$scratch/out" | wc -l; }
    local all some few none one coins beads hard
    all=$(boxes --conf 0.05 --nms none) && some=$(boxes --conf 0.25) && few=$(boxes --conf 0.9) && none=$(boxes --conf 1) && one=$(boxes --most 1) &&
        coins=$(boxes --classes coin) && beads=$(boxes --classes 1) && hard=$(boxes --iou 0.9)
    echo "$all $some $few $none $one $coins $beads $hard" >>"$scratch/err"
    [ "$all" -gt "$hard" ] && [ "$hard" -gt "$some" ] && [ "$some" -gt "$few" ] && [ "$none" -eq 0 ] && [ "$one" -le 12 ] && [ $((coins + beads)) -eq "$some" ]
}
crop_and_fit_work() {
    run 0 detect $SCENE --json -q --crop 0,0,160,240 && out_has '"score"' &&
        ! grep -oE '"box":\[[0-9.]+' "$scratch/out" | cut -d[ -f2 | awk '$1 > 170 { bad = 1 } END { exit !bad }' &&
        run 0 detect $SCENE --json -q --stretch --resize area && out_lines 12 && run 2 detect $SCENE --stretch --letterbox &&
        run 2 detect $SCENE --crop 1,2,3 && run 2 detect $SCENE --crop 1,2,0,4 && run 1 detect $SCENE --crop 400,0,50,50 && err_has 'crop 400,0,50,50 lies outside'
}
wrong_usage_of_detect_is_2() {
    run 2 detect && run 2 detect $SCENE --conf 2 && run 2 detect $SCENE --classes plate && err_has plate && run 2 detect $SCENE --classes 7 && err_has '0..1' &&
        run 2 detect $SCENE --replicas decode=2 && run 2 detect $SCENE --stats soon && run 2 detect $SCENE --raw 5x5 && run 2 detect $SCENE --decoder yolox &&
        err_has yolox && run 1 detect nowhere.mp4 && err_has nowhere && run 1 detect $SCENE -m nowhere.onnx && run 3 detect $SCENE -m "$MODEL" && err_has 'no decoder'
}
value_of() { grep -oE "\"$1\":[0-9]+" "$scratch/out" | tail -n 1 | cut -d: -f2; }
live_needs_no_rate() {
    run 0 detect scene:seed=7,frames=5 --live --out null && run 0 detect --live scene:seed=7,frames=5 --out null && run 0 detect scene:seed=7,frames=5 --live=0 --out null &&
        run 2 detect scene:frames=5 --live 5000 --out null && err_has 'live'
}
live_counts_what_it_drops() {
    run 0 detect scene:seed=7,size=1280x720,frames=40 --live 200 --out null --json && out_has '"policy":"drop-oldest"' || return 1
    local in
    in=$(grep -oE '^."frames":."in":[0-9]+' "$scratch/out" | grep -oE '[0-9]+$')
    echo "$in of 40 frames came in, $(value_of late) were late" >>"$scratch/err"
    [ $((in + $(value_of late))) -eq 40 ] && out_has "\"in\":$in,\"out\":[0-9]+"
}
limits_hold() {
    run 2 detect $SCENE --max-latency=-1 && run 0 detect $SCENE --live=100 --max-latency 30 --out null && err_has 'in flight' &&
        run 0 detect $SCENE --frames 5 --json -q && out_lines 5 && run 0 detect $SCENE --every 4 --json -q && out_lines 3 && run 0 detect $SCENE --loop 2 --json -q &&
        out_lines 24 && run 4 detect $SCENE --min-fps 1e6 --out null && run 4 detect $SCENE --budget 0.001 --out null && err_has 'above the budget' &&
        run 0 detect $SCENE --stats 50ms --trace "$scratch/trace.json" --out null && err_has 'frames/s +latency' && grep -q '"infer"' "$scratch/trace.json"
}
odd_sizes_pass() {
    run 0 detect scene:size=1x1,frames=2 --json -q && out_lines 2 && run 0 detect scene:size=16384x8,frames=2 --json -q && out_lines 2 &&
        run 0 detect scene:size=3x2001,frames=2 --json -q --out "$scratch/odd.y4m" && [ -s "$scratch/odd.y4m" ]
}
nothing_is_an_empty_list() {
    head -c 12288 /dev/zero | run 0 detect - --raw 64x64:rgb24 --json -q && out_lines 1 && out_has '"detections":\[\]'
}
sizes_may_change() {
    mkdir -p "$scratch/mixed"
    run 0 detect scene:seed=1,size=320x240,frames=1 --out "$scratch/mixed/a%d.png" && run 0 detect scene:seed=2,size=200x300,frames=1 --out "$scratch/mixed/b%d.png" &&
        run 0 detect "$scratch/mixed" --json -q && out_lines 2 && run 1 detect "$scratch/mixed" --out "$scratch/mixed.y4m" --out "$scratch/mixed.jsonl" &&
        err_has '200 *x *300|320 *x *240' && lines_of "$scratch/mixed.jsonl" 1
}
broken_input_keeps_the_rest() {
    run 0 detect $SCENE --out "$scratch/whole.y4m" --draw none && head -c $((7 * 115206 + 500)) "$scratch/whole.y4m" >"$scratch/cut.y4m" &&
        run 1 detect "$scratch/cut.y4m" --out "$scratch/cut.jsonl" && err_has 'cut.y4m' && lines_of "$scratch/cut.jsonl" 7 && in_order "$scratch/cut.jsonl" 7 &&
        printf 'not a picture' >"$scratch/bad.jpg" && run 1 detect "$scratch/bad.jpg" && err_has bad.jpg
}
labels_may_not_fit() {
    printf 'only one\n' >"$scratch/labels.txt"
    run 0 detect $SCENE -l "$scratch/labels.txt" --json && err_has '1 labels for 2 classes' && out_has '"label":null' && run 1 detect $SCENE -l nowhere.txt
}
full_disk_keeps_what_is_there() {
    ln -sf /dev/full "$scratch/full.jsonl"
    run 1 detect $SCENE --out "$scratch/full.jsonl" && err_has 'No space left' && "$LEAT" detect $SCENE --json -q >/dev/full 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'No space left'
}
closed_pipe_ends_it() {
    "$LEAT" detect scene:seed=7,size=320x240 --json -q 2>"$scratch/err" | head -n 2 >"$scratch/out"
    [ "${PIPESTATUS[0]}" -le 1 ] && out_lines 2 && [ ! -s "$scratch/err" ]
}
interrupt_finishes_the_files() {
    "$LEAT" detect scene:seed=7,size=320x240 --out "$scratch/i.jsonl" --out "$scratch/i.y4m" --track byte >"$scratch/out" 2>"$scratch/err" &
    local job=$! status n
    for _ in $(seq 100); do [ -s "$scratch/i.jsonl" ] && [ "$(wc -l <"$scratch/i.jsonl")" -ge 5 ] && break; sleep 0.1; done
    kill -INT $job
    wait $job
    status=$?
    n=$(wc -l <"$scratch/i.jsonl")
    [ $status -eq 130 ] && all_frames "$scratch/i.jsonl" && in_order "$scratch/i.jsonl" "$n" && run 0 detect "$scratch/i.y4m" --json -q && out_lines "$n"
}

check "tracks are followed" tracks_are_followed
check "tracks go to a file" tracks_go_to_a_file
check "options of track count" track_options_count
check "bad tracks are named" bad_tracks_are_named
check "a full disk is told" full_disk_is_told
check "frames are lines" frames_are_lines
for test in outputs_go_by_suffix threads_do_not_matter thresholds_reach_the_code crop_and_fit_work wrong_usage_of_detect_is_2 live_needs_no_rate live_counts_what_it_drops \
    limits_hold odd_sizes_pass nothing_is_an_empty_list sizes_may_change broken_input_keeps_the_rest labels_may_not_fit full_disk_keeps_what_is_there \
    closed_pipe_ends_it interrupt_finishes_the_files; do
    check "$test" "$test"
done
