#!/bin/bash
# test_cli_video.sh - `leat video`, and video in and out of `leat detect`: sources, sinks, pipes, interrupts, a full disk.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
SCENE=scene:seed=5,size=160x120,frames=10
frames_are() { run 0 video "$1" --json && out_has "\"frames\":$2,"; }
have_plugin() { [ -e "${LEAT_BUILD:-build}/leat_ffmpeg.so" ]; }
no_temporaries() { ! ls "$scratch" | grep -E '\.[A-Za-z0-9]{6}$' | grep -vE '\.(jsonl)$' >>"$scratch/err"; }

all_sinks_at_once() {
    run 0 video $SCENE -o "$scratch/a.y4m" -o "$scratch/p%03d.png" -o "$scratch/shots/" -o null && err_has '10 frames in' && err_has '^note: scene, 160 x 120' &&
        frames_are "$scratch/a.y4m" 10 && frames_are "$scratch/p*.png" 10 && frames_are "$scratch/shots" 10 && out_has '"kind":"pictures"' && no_temporaries &&
        run 0 video "$scratch/p000.png" "$scratch/p004.png" --json && out_has '"frames":2,'
}
reading_alone_tells_the_rate() { run 0 video $SCENE && out_lines 0 && err_has 'frames/s: reading' && run 0 video $SCENE -q && [ ! -s "$scratch/err" ]; }
play_options_count() {
    run 0 video $SCENE -n 4 --json && out_has '"frames":4,' && run 0 video $SCENE --every 3 --json && out_has '"frames":4,' &&
        run 0 video $SCENE --loop 2 --every 4 --json && out_has '"frames":5,' && run 0 video $SCENE --live 100 --json && out_has '"late":[0-9]' &&
        run 0 video "$scratch/shots" --rate 7 --json && out_has '"input_fps":7.0'
}
pipes_join() {
    "$LEAT" video $SCENE -o - -q | "$LEAT" video - -o "$scratch/piped.y4m" --json >"$scratch/out" 2>"$scratch/err" && out_has '"kind":"y4m".*"frames":10,' &&
        cmp "$scratch/a.y4m" "$scratch/piped.y4m" && head -c $((160 * 120 * 2 * 3)) /dev/zero | "$LEAT" video - --raw 160x120:uyvy --json >"$scratch/out" 2>"$scratch/err" &&
        out_has '"kind":"raw".*"format":"uyvy".*"frames":3,'
}
cut_input_keeps_the_rest() {
    head -c -1000 "$scratch/a.y4m" >"$scratch/cut.y4m"
    run 1 video "$scratch/cut.y4m" -o "$scratch/rest.y4m" && err_has 'cut.y4m: frame 9 is cut off' && frames_are "$scratch/rest.y4m" 9 &&
        head -c 100000 /dev/zero | "$LEAT" video - --raw 160x120:uyvy -o "$scratch/raw.y4m" 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'standard input: frame 2 is cut off after .*are size and pixel format right' && frames_are "$scratch/raw.y4m" 2
}
wrong_usage_is_2() {
    run 2 video && run 2 video $SCENE --raw 5x5 && run 2 video $SCENE --raw 0x5:uyvy && run 2 video $SCENE --raw 5x5:yuv9 && run 2 video $SCENE --live -1 &&
        run 2 video $SCENE -o - --json && run 1 video nowhere.y4m && err_has 'nowhere.y4m: No such file' && run 1 video $SCENE -o /nowhere/x.y4m && err_has nowhere
}
closed_pipe_is_told() {
    "$LEAT" video scene:seed=5,size=640x480 -o - -q 2>"$scratch/err" | head -c 100000 >"$scratch/out"
    [ "${PIPESTATUS[0]}" -eq 1 ] && err_has 'standard output: the reader closed the pipe'
}
full_output_is_told() {
    "$LEAT" video $SCENE -o - -q >/dev/full 2>"$scratch/err"
    [ $? -eq 1 ] && err_has 'standard output: No space left'
}

# ---- with the plugin ----
video_round_trip() {
    local file
    for file in v.mp4 v.mkv; do
        run 0 video $SCENE -o "$scratch/$file" --quality 95 && run 0 video "$scratch/$file" --json && out_has '"detail":"h264 in .*"width":160.*"frames":10,' || return 1
    done
    run 0 video "$scratch/v.mp4" -o "$scratch/v.y4m" && frames_are "$scratch/v.y4m" 10 && cat "$scratch/v.mkv" | "$LEAT" video - --json >"$scratch/out" 2>"$scratch/err" &&
        out_has '"frames":10,' && run 0 video $SCENE --codec mpeg4 -o "$scratch/m.mp4" && run 0 video "$scratch/m.mp4" --json && out_has 'mpeg4 in' &&
        run 3 video $SCENE --codec nonsense -o "$scratch/n.mp4" && err_has nonsense && run 3 video $SCENE -o "$scratch/n.xyz" && [ ! -e "$scratch/n.mp4" ] && no_temporaries
}
detect_takes_and_gives_video() {
    run 0 detect "$scratch/v.mp4" --json -q --out "$scratch/found.mp4" --out "$scratch/found.jsonl" && frames_are "$scratch/found.mp4" 10 &&
        [ "$(wc -l <"$scratch/found.jsonl")" -eq 10 ]
}
interrupt_finishes_the_video() {
    "$LEAT" video $SCENE --loop 0 -o "$scratch/i.mp4" >"$scratch/out" 2>"$scratch/err" &
    local job=$! status
    for _ in $(seq 100); do ls "$scratch"/i.mp4.* >/dev/null 2>&1 && break; sleep 0.1; done
    sleep 1
    kill -INT $job
    wait $job
    status=$?
    [ $status -eq 130 ] && run 0 video "$scratch/i.mp4" --json && out_has '"frames":[1-9]' && no_temporaries
}
interrupt_ends_a_wait() {
    mkfifo "$scratch/fifo"
    sleep 20 >"$scratch/fifo" &
    local writer=$! job status
    "$LEAT" video "$scratch/fifo" --raw 16x16:rgb24 >"$scratch/out" 2>"$scratch/err" &
    job=$!
    for _ in $(seq 100); do readlink /proc/$job/fd/* 2>/dev/null | grep -q fifo && break; sleep 0.1; done
    sleep 0.3
    kill -INT $job
    wait $job
    status=$?
    kill $writer 2>/dev/null
    [ $status -eq 130 ]
}
broken_video_is_told() {
    head -c 3000 "$scratch/v.mp4" >"$scratch/broken.mp4"
    run 1 video "$scratch/broken.mp4" && err_has 'broken.mp4: .*moov' && printf 'nothing of the kind' >"$scratch/text.mp4" && run 1 video "$scratch/text.mp4" && err_has text.mp4 &&
        run 1 video /dev/video99 && err_has /dev/video99
}
missing_plugin_is_named() {
    LEAT_PLUGIN_DIR=$scratch run 3 video "$scratch/v.mp4" && err_has 'leat_ffmpeg.so, which is not in .*libavformat-dev' && LEAT_PLUGIN_DIR=$scratch run 3 video $SCENE -o "$scratch/w.mp4" &&
        [ ! -e "$scratch/w.mp4" ] && LEAT_PLUGIN_DIR=$scratch run 0 video "$scratch/a.y4m"
}
# A disk of 4 MB: what was written stays a whole video.
full_disk_keeps_the_video() {
    mkdir -p "$scratch/disk"
    # shellcheck disable=SC2016
    unshare -rm sh -c 'mount -t tmpfs -o size=4m none "$1" && { "$2" video scene:seed=5,size=640x360,noise=4 --codec mpeg4 --quality 100 -o "$1/full.mp4" 2>"$3/err"
        echo "$?" >"$3/status"; cp "$1"/* "$3/"; }' sh "$scratch/disk" "$LEAT" "$scratch" || return 1
    [ "$(cat "$scratch/status")" = 1 ] && err_has 'full.mp4: no space left' && run 0 video "$scratch/full.mp4" --json && out_has '"frames":[1-9].*"damaged":0'
}

for test in all_sinks_at_once reading_alone_tells_the_rate play_options_count pipes_join cut_input_keeps_the_rest wrong_usage_is_2 closed_pipe_is_told full_output_is_told \
    interrupt_ends_a_wait; do
    check "$test" "$test"
done
if have_plugin; then
    for test in video_round_trip detect_takes_and_gives_video interrupt_finishes_the_video broken_video_is_told missing_plugin_is_named; do check "$test" "$test"; done
    if unshare -rm true 2>/dev/null; then check full_disk_keeps_the_video full_disk_keeps_the_video; else echo "skip full_disk_keeps_the_video: no name spaces here"; fi
else
    echo "skip video through the plugin: leat_ffmpeg.so was not built (FFmpeg's development packages are missing)"
fi
