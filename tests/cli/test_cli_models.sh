#!/bin/bash
# test_cli_models.sh - inspect, run and classify on the bundled classifier and on models written here, byte by byte.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

# Protobuf by hand: field NUMBER HEX gives a length-delimited field in hex; text NUMBER STRING the same of a string.
field() { printf '%02x%02x%s' $(($1 << 3 | 2)) $((${#2} / 2)) "$2"; }
text() { field "$1" "$(printf %s "$2" | od -An -v -tx1 | tr -d ' \n')"; }
value() { printf %s "$(text 1 "$1")$(field 2 "$(field 1 "0801$(field 2 "$(field 1 0802)")")")"; } # float32[2]
# one_op_model OP FILE: y = OP(x), IR 8, opset 13
one_op_model() {
    local node="$(text 1 x)$(text 2 y)$(text 3 middle)$(text 4 "$1")"
    local graph="$(field 1 "$node")$(text 2 g)$(field 11 "$(value x)")$(field 12 "$(value y)")"
    printf '%b' "$(printf '0808%s%s' "$(field 7 "$graph")" "$(field 8 100d)" | sed 's/../\\x&/g')" >"$2"
}
# npy FILE VALUE...: float32, in little-endian hex
npy() {
    local file=$1 header="{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    shift
    { printf '\x93NUMPY\x01\x00\x40\x00%-63s\n' "$header"; printf '%b' "$(printf %s "$*" | tr -d ' ' | sed 's/../\\x&/g')"; } >"$file"
}
one_op_model Relu "$scratch/relu.onnx"
one_op_model NoSuchOperator "$scratch/odd.onnx"

unsupported_is_3() {
    run 3 inspect "$scratch/odd.onnx" --check && out_has "NoSuchOperator .*'middle'" && run 3 run "$scratch/odd.onnx" --random 1 &&
        err_has NoSuchOperator && run 3 inspect "$scratch/odd.onnx" --json && out_has '"unsupported":\["' && run 0 inspect "$scratch/relu.onnx" --check
}
inspect_reads_gguf() {
    head -c 300 fuzz/corpus/fuzz_gguf/small.gguf >"$scratch/cut.gguf"
    run 0 inspect fuzz/corpus/fuzz_gguf/small.gguf && out_has 'general.architecture +"llama"' && out_has '^\| Q8_0 +\| +1 ' &&
        run 0 inspect fuzz/corpus/fuzz_gguf/small.gguf --json && out_lines 1 && out_has '"a.names":\{"items":"string","count":3' &&
        run 1 inspect "$scratch/cut.gguf" && err_has 'truncated'
}
text_goes_to_ids_and_back() {
    local vocabulary=fuzz/corpus/fuzz_tokenizer/spm.bin
    run 0 tokenize -m $vocabulary 'ab c' && out_has '^1 9 4 11$' && run 0 tokenize -m $vocabulary 'ab c' --no-bos --json && out_has '^\{"tokens":\[9,4,11\]\}$' &&
        run 0 tokenize -m $vocabulary --decode '1 9 4 11' && out_has '^ab c$' && run 0 tokenize -m $vocabulary 'a</s>' && out_has '^1 8 0 0 0 0$' &&
        run 0 tokenize -m $vocabulary --special 'a</s>' && out_has '^1 8 2$' && run 2 tokenize -m $vocabulary --decode 14 && err_has "'14' is not a token" &&
        run 2 tokenize text && run 1 tokenize -m "$MODEL" text && err_has 'not a GGUF file' && printf 'ab c' >"$scratch/text" &&
        run 0 tokenize -m $vocabulary --file "$scratch/text" && out_has '^1 9 4 11$'
}
inspect_tells_all() {
    run 0 inspect "$MODEL" "${SHAPE[@]}" && out_has 'image +float32\[batch,3,height,width\]' && out_has 'MACs a run' && out_has '^\| Conv' &&
        out_has 'largest activations' && run 0 inspect "$scratch/relu.onnx" --dot && out_has '^digraph'
}
values_go_in_and_out() {
    npy "$scratch/x.npy" 0000c03f 000020c0 # 1.5 -2.5
    run 0 run "$scratch/relu.onnx" --input "x=$scratch/x.npy" -d "$scratch/values" && run 0 run "$scratch/relu.onnx" -i "x=$scratch/values/y.npy" --json &&
        out_has '"min":0.0,"max":1.5,"mean":0.75' && out_has '"first":\[1.5,0.0\]'
}
protobuf_goes_in() { # TensorProto: dims 2, float32, raw_data 1.5 2.5, and '=' in the file's name
    printf '\x08\x02\x10\x01\x4a\x08\x00\x00\xc0\x3f\x00\x00\x20\x40' >"$scratch/a=b.pb"
    run 0 run "$scratch/relu.onnx" --input "x=$scratch/a=b.pb" --json && out_has '"first":\[1.5,2.5\]'
}
wrong_content_is_refused() {
    printf 'nonsense' >"$scratch/bad.npy"
    run 1 run "$scratch/relu.onnx" -i "x=$scratch/bad.npy" && err_has 'bad.npy' && run 1 run "$scratch/relu.onnx" -i x=nowhere.npy && err_has nowhere &&
        run 2 run "$scratch/relu.onnx" --shape x=2xq && err_has '2xq'
}
random_is_reproducible() {
    run 0 run "$MODEL" "${SHAPE[@]}" --random 5 -d "$scratch/a" && run 0 run "$MODEL" "${SHAPE[@]}" --random 5 -d "$scratch/b" -t 1 &&
        run 0 run "$MODEL" "${SHAPE[@]}" --random 6 -d "$scratch/c" && cmp "$scratch/a/logits.npy" "$scratch/b/logits.npy" >>"$scratch/err" &&
        ! cmp -s "$scratch/a/logits.npy" "$scratch/c/logits.npy"
}
values_are_dumped() {
    run 0 inspect "$scratch/relu.onnx" --dump "y=$scratch/y.npy" && [ "$(wc -c <"$scratch/y.npy")" -eq 136 ] &&
        run 1 inspect "$scratch/relu.onnx" --dump "nosuch=$scratch/z.npy" && err_has nosuch && [ ! -e "$scratch/z.npy" ]
}
bundled_pictures_are_told() {
    local picture
    for picture in models/demo/*.jpg models/demo/*.png; do
        run 0 classify "$picture" --top 1 && out_has "$(basename "$picture" | sed 's/_.*//')" || return 1
    done
}
batches_give_the_same_answers() {
    run 0 classify "$MODEL" models/demo/* --json && sed 's/,"preprocess_ms.*//; s/\(prob":[0-9.]\{6\}\)[0-9]*/\1/g' "$scratch/out" >"$scratch/one" &&
        run 0 classify models/demo/* --json --batch 4 && sed 's/,"preprocess_ms.*//; s/\(prob":[0-9.]\{6\}\)[0-9]*/\1/g' "$scratch/out" >"$scratch/four" &&
        diff "$scratch/one" "$scratch/four" >>"$scratch/err" && [ -s "$scratch/one" ]
}
names_of_any_bytes_are_told() {
    local odd=$scratch/$'caf\xe9.png'
    cp models/demo/upper_3.png "$odd"
    run 0 classify "$MODEL" "$odd" --json && out_lines 1 && out_has $'caf\xef\xbf\xbd.png","top"'
}
broken_picture_does_not_stop_the_rest() {
    local first
    first=$(ls models/demo/*.jpg | head -n 1)
    head -c 300 "$first" >"$scratch/cut.jpg"
    run 1 classify "$MODEL" "$scratch/cut.jpg" "$first" --json && out_lines 2 && out_has '"error":' && out_has '"top":' && err_has cut.jpg
}
classify_options_are_checked() {
    run 2 classify "$MODEL" a.png --size 0x4 && run 2 classify "$MODEL" a.png --mean 1,2 && run 2 classify "$MODEL" a.png --preset other &&
        run 3 classify "$scratch/relu.onnx" models/demo/*.jpg && err_has 'not an image' && run 2 classify "$MODEL"
}

for test in unsupported_is_3 inspect_reads_gguf text_goes_to_ids_and_back inspect_tells_all values_go_in_and_out protobuf_goes_in wrong_content_is_refused random_is_reproducible \
    names_of_any_bytes_are_told values_are_dumped bundled_pictures_are_told batches_give_the_same_answers broken_picture_does_not_stop_the_rest classify_options_are_checked; do
    check "$test" "$test"
done
