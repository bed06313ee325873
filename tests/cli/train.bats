#!/usr/bin/env bats
# Training from outside: the folder is a model from the first moment, a killed run continues to the same
# bits, what can't go on keeps its last good checkpoint.
load support

G="--data faces --grid 4 --grid-steps 4"
T="$G --images 64 --arch tiny --batch 4 --seed 3"

# A full disk: a tmpfs where we may mount one, else no test.
mount_small() {
    mkdir -p small
    mount -t tmpfs -o size=$1 tmpfs small 2>/dev/null || skip "no right to mount a small disk"
}
teardown() { umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true; }

# The parameters and moments of a folder's checkpoint; its seconds differ from run to run.
state() { tail -c +$((9 + $(od -An -tu8 -N8 "$1/checkpoint.safetensors"))) "$1/checkpoint.safetensors" | sha256sum; }
rows() { cut -d, -f1-4 "$1/loss.csv"; }
updates() { head -c 4000 "$1/checkpoint.safetensors" | grep -ao '"update":"[0-9]*"' | tr -dc 0-9; }

@test "train: a folder that opens as a model, with its table, curve, samples and account" {
    "$HSPACE" train $T --steps 40 -o m --json >out.json 2>err.txt
    jq -e '.command == "train" and (.results | .updates == 40 and .images == 64 and .loss > 0 and .loss < 2
           and .images_per_second > 0 and .parameters > 100000)' out.json
    [ "$(head -1 m/loss.csv)" = "update,loss,grad_norm,rate,images_per_second,seconds" ]
    [ "$(tail -1 m/loss.csv | cut -d, -f1)" = 40 ]
    [ "$(file -b --mime-type m/samples.png)" = image/png ]
    jq -e '(.command_line | test("^hspace train .*--seed 3")) and .seed == "3" and .results.updates == 40
           and (.data | test("faces")) and (.source | test("hspace")) and (.data_sha256 | length) == 64' m/train.json
    "$HSPACE" info m --json | jq -e '.results | .kind == "model" and .image == [3,16,16] and .h == [64,4,4]'
    "$HSPACE" sample --model m -N 2 --steps 4 -o s.npy --json 2>err.txt | jq -e '.warnings == []'
    ! grep -q . err.txt
}

@test "train: the parameters counted are those of the model" {
    "$HSPACE" train --data faces --images 64 --arch faces-32 --batch 4 --steps 2 -o m -n --json >plan.json
    "$HSPACE" info random:faces-32 --json | jq -e --slurpfile p plan.json '.results.params == $p[0].results.parameters'
}

@test "train: warned of where x_T of the schedule keeps the brightness of the images" {
    { printf '\0\0\10\3\0\0\0\4\0\0\0\20\0\0\0\20'; head -c 1024 /dev/zero | tr '\0' '\377'; } >white
    W="train --data white --arch tiny --batch 4 --steps 2 -o m -n --json"
    "$HSPACE" $W --beta-end 0.01 >out.json 2>err.txt # every value is 1: 768 of them, beside noise
    jq -e '.results | (.x_T_offset / (.sqrt_alpha_bar_T / (1 - .sqrt_alpha_bar_T * .sqrt_alpha_bar_T | sqrt) * (768 | sqrt))
           | . > 0.999999 and . < 1.000001) and (.sqrt_alpha_bar_T | . > 0.0793 and . < 0.0795)' out.json
    jq -e '.warnings[0] | test("x_T keeps 0.079 of an image.* mean, 1.00, stands 2.2 sd out of its noise")' out.json
    "$HSPACE" $W --beta-end 0.02 | jq -e '.warnings == [] and (.results.x_T_offset | . > 0.17 and . < 0.18)'
}

@test "train: --data-seed keeps the images while the weights and their order change" {
    "$HSPACE" train $T --steps 2 -o a >/dev/null 2>&1
    "$HSPACE" train ${T/--seed 3/--seed 4} --data-seed 3 --steps 2 -o b >/dev/null 2>&1
    "$HSPACE" train ${T/--seed 3/--seed 4} --steps 2 -o c >/dev/null 2>&1
    [ "$(jq -r .data_sha256 a/train.json)" = "$(jq -r .data_sha256 b/train.json)" ]
    [ "$(jq -r .data_sha256 a/train.json)" != "$(jq -r .data_sha256 c/train.json)" ]
    [ "$(state a)" != "$(state b)" ]
}

@test "train: the same command gives the same bits, another seed others" {
    "$HSPACE" train $T --steps 6 -o a >/dev/null 2>&1
    "$HSPACE" train $T --steps 6 -o b >/dev/null 2>&1
    "$HSPACE" train ${T/--seed 3/--seed 4} --steps 6 -o c >/dev/null 2>&1
    [ "$(state a)" = "$(state b)" ] && [ "$(rows a)" = "$(rows b)" ]
    cmp <(tail -c 100000 a/diffusion_pytorch_model.safetensors) <(tail -c 100000 b/diffusion_pytorch_model.safetensors)
    [ "$(state a)" != "$(state c)" ]
}

@test "train: kill -9 at random times and --resume give the bits of the uninterrupted run" {
    "$HSPACE" train $T --steps 120 -o whole >/dev/null 2>&1
    resume=
    for i in $(seq 1 "${HSPACE_KILLS:-5}"); do
        "$HSPACE" train $T --steps 120 --save-every 0.02 $resume -o killed >/dev/null 2>&1 &
        pid=$!
        until [ -e killed/checkpoint.safetensors ]; do sleep 0.02; done
        resume=--resume
        "$HSPACE" info killed --json | jq -e '.results.kind == "model"'
        sleep "0.$(printf '%03d' $((RANDOM % 600)))"
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
    done
    "$HSPACE" train $T --steps 120 --resume -o killed >/dev/null 2>&1
    [ -z "$(find killed -name '*.tmp')" ]
    [ "$(state whole)" = "$(state killed)" ]
    [ "$(rows whole)" = "$(rows killed)" ]
    jq -e '(.command_line | test("resume") | not) and (.resumed_by | test("--resume"))' killed/train.json
}

@test "train: SIGTERM writes a checkpoint and ends with 75" {
    "$HSPACE" train $T --steps 100000 --save-every 1000 -o m >/dev/null 2>err.txt &
    pid=$!
    until [ -e m/loss.csv ]; do sleep 0.05; done
    sleep 1
    kill -TERM $pid
    rc=0
    wait $pid || rc=$?
    [ $rc -eq 75 ]
    grep -q "resume continues" err.txt
    [ "$(updates m)" -gt 0 ]
}

@test "train: a loss that isn't finite ends with 6 and keeps the last good checkpoint" {
    rc=0
    "$HSPACE" train $T --steps 4000 --rate 100 --warmup 0 --clip 0 --save-every 0 -q -o m 2>err.txt || rc=$?
    [ $rc -eq 6 ] || { cat err.txt; tail -3 m/loss.csv; return 1; }
    grep -q "the checkpoint of update $(updates m) stays" err.txt
    "$HSPACE" info m --json | jq -e '.results.kind == "model"'
}

@test "train: a full disk ends with 5, the former checkpoint stays" {
    # Room for the first checkpoint and the model, not for a second checkpoint beside them.
    "$HSPACE" train $T --steps 1 -q -o first
    mount_small $(($(du -sk first | cut -f1) + $(du -k first/checkpoint.safetensors | cut -f1) / 2))k
    rc=0
    "$HSPACE" train $T --steps 50 --save-every 0 -q -o small/m 2>err.txt || rc=$?
    [ $rc -eq 5 ] && grep -q "checkpoint.safetensors.*No space left" err.txt || { cat err.txt; ls -l small/m; return 1; }
    cp -r small/m copy
    "$HSPACE" train $T --steps 50 --resume -q -o copy
    [ -z "$(find copy -name '*.tmp')" ]
    "$HSPACE" train $T --steps 50 -q -o whole
    [ "$(state copy)" = "$(state whole)" ]
}

@test "train: what is refused before any work" {
    fails 2 "no --data" "$HSPACE" train --arch tiny --steps 4 -o m
    fails 2 "no --arch" "$HSPACE" train --data faces --steps 4 -o m
    fails 2 "no --steps" "$HSPACE" train --data faces --arch tiny -o m
    fails 2 "no -o" "$HSPACE" train --data faces --arch tiny --steps 4
    fails 2 "no checkpoint" "$HSPACE" train $T --steps 4 --resume -o m
    fails 2 "no such style; wanted one of" "$HSPACE" train --data faces:oil --arch tiny --steps 4 -o m
    fails 5 "neither a generator" "$HSPACE" train --data nowhere --arch tiny --steps 4 -o m
    fails 2 "goes with --readout attr" "$HSPACE" train $T --features 8 --steps 4 -o m
    fails 2 "goes without --readout attr" "$HSPACE" train $T --readout attr --steps 4 -o m
    [ ! -e m ]
    mkdir full && touch full/config.json
    fails 2 "not empty" "$HSPACE" train $T --steps 4 -o full
}

@test "train: a checkpoint of another architecture, of other data or options" {
    "$HSPACE" train $T --steps 2 -o m >/dev/null 2>&1
    sum=$(sha256sum m/checkpoint.safetensors)
    printf '{"hspace_arch": 1, "image_size": 16, "ch": [16, 32], "blocks": [1, 1], "attn_down": [false, false], "attn_up": [false, false], "groups": 8}' >other.json
    fails 2 "of another run: .*architecture.*wanted .*architecture" "$HSPACE" train ${T/tiny/other.json} --steps 4 --resume -q -o m
    fails 2 "data .*wanted .*data" "$HSPACE" train ${T/64/65} --steps 4 --resume -q -o m
    fails 2 'batch 4.*wanted .batch 5' "$HSPACE" train ${T/batch 4/batch 5} --steps 4 --resume -q -o m
    fails 2 'rate .*wanted .rate' "$HSPACE" train $T --rate 1e-3 --steps 4 --resume -q -o m
    [ "$(sha256sum m/checkpoint.safetensors)" = "$sum" ]
}

@test "train: images of any size with --fit; unreadable ones are named, counted and refused" {
    "$HSPACE" faces -N 6 --size 24 -o pics/ >/dev/null 2>&1
    D="--data pics --arch tiny --batch 2 --grid 1 --grid-steps 2 --steps 2"
    fails 2 "24 x 24 pixels; wanted 16 x 16" "$HSPACE" train $D -q -o m
    echo broken >pics/broken.png
    fails 3 "1 of 7 images can't be read.*broken.png.*skip-bad" "$HSPACE" train $D --fit -q -o m
    [ ! -e m ]
    "$HSPACE" train $D --fit --skip-bad --flip -o m --json 2>/dev/null | jq -e '.results.images == 6 and .results.skipped == 1
        and (.warnings[-1] | test("1 of 7 images left out, the first: pics/broken.png"))'
}

@test "train --dry-run: an estimate, no folder" {
    "$HSPACE" train $T --steps 1000 -n -o m --json 2>/dev/null | jq -e '.results.updates == 1000 and .results.seconds > 0'
    [ ! -e m ]
}

@test "train --readout attr: a network and how well it does on renders it never saw" {
    "$HSPACE" train --data faces --images 200 --readout attr --size 16 --channels 16,32 --features 16 --held-out 50 \
        --batch 8 --steps 30 --seed 2 -o a --json >out.json 2>/dev/null
    jq -e '(.results.held_out | length) > 11 and ([.results.held_out[] | .n == 50] | all)' out.json
    jq -e '._class_name == "HspaceAttrNet"' a/config.json
    "$HSPACE" faces -N 12 --size 16 -o pics/ >/dev/null 2>&1
    A="--data pics --readout attr --size 16 --channels 16,32 --features 16 --batch 4 --steps 5"
    "$HSPACE" train $A --attributes smile,glasses -o b --json 2>/dev/null | jq -e '.results.images == 12'
    fails 3 'no column "wings"' "$HSPACE" train $A --attributes smile,wings -q -o c
    sed -i '$d' pics/attributes.csv
    fails 3 "no row for" "$HSPACE" train $A -q -o c
    rm pics/attributes.csv
    fails 5 "attributes.csv" "$HSPACE" train $A -q -o c
}

@test "train --prediction v: the folder says so and samples, dumps and differentiates as any other" {
    "$HSPACE" train $T --steps 30 --prediction v -q -o m
    jq -e '.prediction_type == "v_prediction"' m/scheduler_config.json
    "$HSPACE" info m | grep -q "predicts v_prediction"
    "$HSPACE" sample --model m -N 4 --steps 4 -q -o x.npy
    "$HSPACE" dump --model m -N 2 --steps 4 --keep eps -q -o a.h5
    "$HSPACE" eval --model m --x x.npy --t 500 --jvp-x x.npy -q -o out.npz
    "$HSPACE" train $T --steps 30 -q -o e
    ! cmp -s m/diffusion_pytorch_model.safetensors e/diffusion_pytorch_model.safetensors
    sed -i 's/v_prediction/sample/' m/scheduler_config.json
    fails 3 "prediction_type" "$HSPACE" info m
}

@test "train --readout clip: a folder as Hugging Face's CLIP has it, and how well it tells faces it never saw" {
    C="--data faces --images 300 --readout clip --arch faces-clip-tiny --batch 8 --seed 3"
    "$HSPACE" train $C --captions 2 --steps 30 --held-out 200 -o m --json >out.json 2>err.txt
    jq -e '.results | .updates == 30 and .parameters > 10000 and (.held_out, .held_out_augmented | .n == 200 and .pool == 100
           and .image_to_caption >= 0 and .caption_to_image <= 1 and (.pairs | length) == 20
           and (.pairs[0] | .factor == "smile" and (.accuracy >= 0) and (.pearson | fabs) <= 1)
           and (.pairs[1] | has("accuracy") | not))' out.json
    jq -e '.architectures == ["CLIPModel"] and .vision_config.image_size == 16' m/config.json
    jq -e '.["<|startoftext|>"] and .["smiling</w>"] and .["glasses</w>"]' m/vocab.json
    [ "$(head -c 8 m/merges.txt)" = "#version" ]
    jq -e '.image_mean == [0.5, 0.5, 0.5]' m/preprocessor_config.json
    jq -e '.results.held_out.n == 200 and (.fingerprint | test("task clip"))' m/train.json
    "$HSPACE" train $C --captions 2 --steps 40 --held-out 0 --resume -q -o m --json | jq -e '.results.updates == 40'
    fails 2 "of another run" "$HSPACE" train $C --captions 3 --steps 50 --resume -q -o m
    fails 2 "goes with --readout clip" "$HSPACE" train $T --captions 2 --steps 4 -q -o n
    fails 2 "goes without --readout clip" "$HSPACE" train $C --conv direct --steps 4 -q -o n
    fails 2 "wanted faces-clip" "$HSPACE" train ${C/faces-clip-tiny/tiny} --steps 4 -q -o n
    "$HSPACE" faces -N 3 --size 16 -q -o pics/
    cut -d, -f1-3 pics/attributes.csv >few.csv && mv few.csv pics/attributes.csv
    fails 2 "not the factors that captions speak of" "$HSPACE" train ${C/--data faces/--data pics} --steps 4 -q -o n
}

@test "train: --init begins with a model's weights, on a resumed run too, and takes no other network" {
    "$HSPACE" train $T --dtype f32 --steps 30 -o first >/dev/null 2>&1
    # A rate of nothing: the weights stay what they were.
    "$HSPACE" train ${T/--seed 3/--seed 5} --dtype f32 --init first --rate 0 --steps 3 -o same >/dev/null 2>&1
    cmp <(tail -c 100000 first/diffusion_pytorch_model.safetensors) <(tail -c 100000 same/diffusion_pytorch_model.safetensors)
    "$HSPACE" train ${T/--seed 3/--seed 5} --init first --steps 30 -o on --json 2>/dev/null >on.json
    "$HSPACE" train ${T/--seed 3/--seed 5} --steps 30 -o anew --json 2>/dev/null >anew.json
    [ "$(jq '.results.loss' on.json)" != "$(jq '.results.loss' anew.json)" ]
    jq -e '.inputs | length >= 1' on.json
    fails 2 'init' "$HSPACE" train ${T/--seed 3/--seed 5} --steps 40 --resume -o on
    "$HSPACE" train ${T/--seed 3/--seed 5} --init first --steps 40 --resume -o on >/dev/null 2>&1
    fails 2 'another network' "$HSPACE" train $T --init faces-a --steps 2 -o other
    fails 2 'random weights' "$HSPACE" train $T --init random:tiny --steps 2 -o other
    fails 2 'goes without --readout' "$HSPACE" train --data faces --readout attr --init first --steps 2 -o other
    [ ! -e other ]
}
