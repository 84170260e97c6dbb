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

check "tracks are followed" tracks_are_followed
check "tracks go to a file" tracks_go_to_a_file
check "options of track count" track_options_count
check "bad tracks are named" bad_tracks_are_named
check "a full disk is told" full_disk_is_told
