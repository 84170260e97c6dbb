#!/bin/bash
# test_cli_circles.sh - `leat circlefit bench` and `leat circlefit score`: the fixture's figures, scores against known answers, bad circles.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

small_fixture() { run 0 circlefit bench -t 2 --json && out_has '"writes":119115' && out_has '"sum":\[9792716,8591612,8647225\]' && out_has '"fnv1a":"4d17c6cc"' && out_has '"us_per_eval":'; }
large_fixture() { run 0 circlefit bench --fixture 512x100 -t 1 && out_has '1471457 pixels written' && out_has 'a7a8aceb'; }
check "bench draws the fixture of 30 circles" small_fixture
check "bench draws the fixture of 100 circles" large_fixture

picture=models/demo/upper_1.jpg
echo '{"circles": [{"x": 40, "y": 50, "r": 30.5, "color": "#ff8000", "opacity": 0.5}, {"x": -10, "y": 3, "r": 50, "red": 0.1, "green": 0.2, "blue": 0.3}]}' >"$scratch/c.json"
writes_itself() {
    run 0 circlefit score $picture --circles "$scratch/c.json" -o "$scratch/o.png" --diff "$scratch/d.png" --json && out_has '"circles":2' && out_has '"ssim":' &&
        echo '[]' >"$scratch/none.json" && run 0 circlefit score "$scratch/o.png" --canvas "$scratch/o.png" --circles "$scratch/none.json" --json &&
        out_has '"sse":0' && out_has '"psnr_db":null' && out_has '"psnr_infinite":true' && out_has '"ssim":1'
}
check "a score of a picture against itself is perfect" writes_itself
same_again() { run 0 circlefit score "$scratch/o.png" --circles "$scratch/c.json" --colormap magma && out_has 'MSE 0.0000, PSNR inf dB, SSIM 1.000000'; }
check "circles painted again give the same picture" same_again

refuses() { echo "$2" >"$scratch/bad.json" && run "$1" circlefit score $picture --circles "$scratch/bad.json" && err_has "$3"; }
check "text that is no JSON" refuses 1 '{"circles": [' 'bad.json'
check "a circle without radius" refuses 1 '[{"x": 1, "y": 2, "color": "#000000"}]' 'needs a number "r"'
check "a radius out of range" refuses 1 '[{"x": 1, "y": 2, "r": 1e9, "color": "#000000"}]' 'circle 0: r'
check "a colour that is none" refuses 1 '[{"x": 1, "y": 2, "r": 1, "color": "#00"}]' 'color'
no_circles() { run 2 circlefit score $picture && err_has 'circles'; }
check "no circles" no_circles
other_size() { run 1 circlefit score $picture --circles "$scratch/none.json" --canvas models/demo/empty_3.png && err_has '96 x 96 pixels, but the reference has 160 x 160'; }
check "a canvas of another size" other_size
