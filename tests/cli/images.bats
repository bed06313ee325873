#!/usr/bin/env bats
# sample, eval and invert on a random network.

load support

M="--model random:tiny"

@test "sample writes .npy, .png, a folder and a trajectory; the same seed gives the same bytes" {
    "$HSPACE" sample $M -N 3 --steps 4 -q -o a.npy --trajectory t.npz
    "$HSPACE" sample $M -N 3 --steps 4 -q -o b.npy
    cmp a.npy b.npy
    "$HSPACE" sample $M -N 3 --steps 4 -q --seed 1 -o c.npy
    if cmp -s a.npy c.npy; then false; fi
    "$HSPACE" sample $M -N 3 --steps 4 -q -o s.png
    file s.png | grep -q 'PNG image data, 34 x 34'
    "$HSPACE" sample $M -N 3 --steps 4 -q -o dir/
    [ "$(ls dir | tr '\n' ' ')" = "0000.png 0001.png 0002.png " ]
    "$HSPACE" info t.npz --json >t.json
    jq -e '[.results.tensors[] | {(.name): .shape}] | add == {"t": [5], "x": [5, 3, 3, 16, 16]}' t.json
}

@test "samples depend on their number alone, not on the batch or on how many there are" {
    "$HSPACE" sample $M -N 2 --steps 3 --batch 2 -q --json >a.json
    "$HSPACE" sample $M -N 2 --steps 3 --batch 1 -q --json >b.json
    jq -en --slurpfile a a.json --slurpfile b b.json \
        '[$a[0].results.x_0.mean, $b[0].results.x_0.mean] | (.[0] - .[1]) | fabs < 1e-3'
}

@test "sample records its inputs and resolves its steps" {
    "$HSPACE" sample $M -N 1 --steps 5 -q --json >s.json
    jq -e '.params.timesteps == [999, 749, 499, 249, 0] and .params.N == 1 and .params.eta == 0' s.json
    jq -e '.inputs[0].path == "random:tiny" and (.inputs[0].sha256 | length) == 64' s.json
    jq -e '.params.model_sha256 == .inputs[0].sha256 and (.warnings[0] | test("untrained"))' s.json
    "$HSPACE" sample $M -N 1 --timesteps 900,500,100 -q --json | jq -e '.params.steps == 3 and .params.spacing == "list"'
}

# psnr A.npy B.npy: 10 log10(4 / mean squared difference) of two float32 .npy files.
psnr() {
    paste <(od -An -v -w4 -tf4 -j128 "$1") <(od -An -v -w4 -tf4 -j128 "$2") |
        awk '{ d = $1 - $2; sum += d * d } END { print 10 * log(4 * NR / sum) / log(10) }'
}

@test "sample, invert, sample: --check reports what sampling back gives" {
    "$HSPACE" sample $M -N 2 --steps 3 -q -o x0.npy
    "$HSPACE" invert $M --x-0 x0.npy --steps 20 -q -o xT.npy --check --json >i.json
    jq -e '.results.n == 2 and (.results.check.psnr_each | length) == 2 and .results.check.max_error > 0' i.json
    "$HSPACE" sample $M --x-T xT.npy --steps 20 -q -o back.npy
    jq -e --argjson p "$(psnr x0.npy back.npy)" '.results.check.psnr - $p | fabs < 1e-3' i.json
}

@test "invert reads images from files and folders" {
    "$HSPACE" sample $M -N 2 --steps 3 -q -o dir/
    "$HSPACE" invert $M --images dir/,dir/0001.png --steps 3 -q -o xT.npy --json >i.json
    jq -e '.results.n == 3 and ([.inputs[].path] | index("dir/0000.png")) != null' i.json
    "$HSPACE" sample $M -N 4 --steps 3 -q -o grid.png
    fails 2 'grid.png: 34 x 34 pixels; wanted 16 x 16 .*--fit' "$HSPACE" invert $M --images grid.png --steps 3 -q -o y.npy
    "$HSPACE" invert $M --images grid.png --fit --steps 3 -q -o y.npy
    [ ! -e x.npy ]
    fails 2 'several given|both given' "$HSPACE" invert $M --images dir/ --x-0 xT.npy -q -o z.npy
}

@test "eval gives h and eps, shifts h by --dh, and refuses what it cannot do" {
    "$HSPACE" sample $M -N 2 --steps 2 -q -o x.npy
    "$HSPACE" eval $M --x x.npy --t 500 -q -o e.npz --json >e.json
    jq -e '.results.h.shape == [2, 64, 4, 4] and .results.eps.shape == [2, 3, 16, 16]' e.json
    "$HSPACE" info e.npz --json | jq -e '[.results.tensors[].name] == ["eps", "h"]'
    "$HSPACE" eval $M --x x.npy --t 500,500 -q --json | jq -e --slurpfile e e.json '.results.eps == $e[0].results.eps'
    "$HSPACE" dump $M --x-T x.npy --timesteps 500 -q -o a.h5
    "$HSPACE" export a.h5 --t 500 -q -o dh.npy
    "$HSPACE" eval $M --x x.npy --t 500 --dh dh.npy -q --json >d.json
    jq -en --slurpfile d d.json --slurpfile e e.json '$d[0].results.h == $e[0].results.h and $d[0].results.eps != $e[0].results.eps'
    fails 2 '^hspace: --class: ' "$HSPACE" eval $M --x x.npy --t 500 --class 1 -q -o j.npz
    fails 2 '^hspace: --t: 3 timesteps for 2 images' "$HSPACE" eval $M --x x.npy --t 1,2,3 -q -o j.npz
    fails 2 '^hspace: --t: 1000; wanted .* 0 to 999' "$HSPACE" eval $M --x x.npy --t 1000 -q -o j.npz
    fails 2 '^hspace: dh.npy: shape \(2, 64, 4, 4\); wanted \(N, 3, 16, 16\)' "$HSPACE" eval $M --x dh.npy --t 5 -q -o j.npz
    [ ! -e j.npz ]
}

@test "what doesn't fit is refused before any work and leaves nothing" {
    fails 2 '^hspace: --steps: .*2000' "$HSPACE" sample $M -N 1 --steps 2000 -q -o s.npy
    fails 2 '^hspace: --timesteps: ' "$HSPACE" sample $M -N 1 --timesteps 10,20 -q -o s.npy
    fails 2 '^hspace: --timesteps: 1.5 is not a whole number' "$HSPACE" sample $M -N 1 --timesteps 1.5 -q -o s.npy
    fails 2 '^hspace: -N: 0 is out of range' "$HSPACE" sample $M -N 0 -q -o s.npy
    fails 2 '^hspace: -N, --x-T: none given' "$HSPACE" sample $M -q -o s.npy
    fails 2 '^hspace: sample: no --model; usage' "$HSPACE" sample -N 1 -o s.npy
    fails 2 '^hspace: sample: no -o; usage' "$HSPACE" sample $M -N 1
    fails 2 '^hspace: s.jpg: unknown kind of output' "$HSPACE" sample $M -N 1 -q -o s.jpg
    fails 5 '^hspace: nothere: open' "$HSPACE" sample --model nothere -N 1 -q -o s.npy
    fails 2 '^hspace: .*' "$HSPACE" sample --model random:nosuch -N 1 -q -o s.npy
    fails 5 '^hspace: none.npy: ' "$HSPACE" sample $M --x-T none.npy -q -o s.npy
    fails 3 '^hspace: \.: ' "$HSPACE" sample $M --x-T . -q -o s.npy
    fails 5 '^hspace: no/s.npy: its folder' "$HSPACE" sample $M -N 1 -q -o no/s.npy
    fails 2 "^hspace: --eta: 1.5 is out of range" "$HSPACE" sample $M -N 1 --eta 1.5 -q -o s.npy
    fails 2 "^hspace: --spacing: 'quad' is unknown; wanted asyrp" "$HSPACE" sample $M -N 1 --spacing quad -q -o s.npy
    [ -z "$(ls | grep -v txt)" ]
}

@test "an existing output is kept without -f" {
    echo mine >s.npy
    fails 2 '^hspace: s.npy: exists; use -f' "$HSPACE" sample $M -N 1 --steps 2 -q -o s.npy
    [ "$(cat s.npy)" = mine ]
    "$HSPACE" sample $M -N 1 --steps 2 -q -f -o s.npy
    [ "$(head -c 6 s.npy | tail -c 5)" = NUMPY ]
    mkdir d
    touch d/x
    fails 2 '^hspace: d/: the folder is not empty' "$HSPACE" sample $M -N 1 --steps 2 -q -o d/
    "$HSPACE" sample $M -N 1 --steps 2 -q -o t.npy
    fails 2 '^hspace: t.npy: exists' "$HSPACE" invert $M --x-0 t.npy --steps 2 -q -o t.npy
}

@test "stochastic steps: the seed decides, stored noise replaces it" {
    "$HSPACE" sample $M -N 1 --steps 3 --eta 1 -q -o a.npy
    "$HSPACE" sample $M -N 1 --steps 3 --eta 1 -q -o b.npy
    cmp a.npy b.npy
    "$HSPACE" sample $M -N 1 --steps 3 -q -o c.npy
    if cmp -s a.npy c.npy; then false; fi
    fails 2 '^hspace: a.npy: not the noise of this run; wanted .*\(3, 1, 3, 16, 16\)' \
        "$HSPACE" sample $M -N 1 --steps 3 --eta 1 --noise a.npy -q -o d.npy
}

@test "--dry-run says the work and does none" {
    "$HSPACE" sample $M -N 3 --steps 4 -n -q --json -o s.npy | jq -e '.results.plan.evaluations == 12 and .results.plan.bytes == 9216'
    [ ! -e s.npy ]
}

@test "SIGTERM stops with 75, Ctrl-C with 130, and no output appears" {
    for pair in TERM:75 USR1:75 INT:130; do
        rc=0
        # bats starts background jobs with SIGINT ignored; env gives the default back
        timeout --preserve-status -s "${pair%%:*}" 1 env --default-signal=INT "$HSPACE" sample $M -N 100000 --steps 1000 -q -o s.npy 2>err.txt || rc=$?
        [ "$rc" -eq "${pair##*:}" ] || { echo "$pair gave $rc"; cat err.txt; false; }
        [ ! -e s.npy ]
    done
}

@test "JPEG goes wherever PNG does: alone, in a folder, to be scored, to be trained on; damaged ones are refused" {
    jpeg="$BATS_TEST_DIRNAME/../fuzz/corpus/image"
    mkdir photos
    cp "$jpeg/jpeg_rgb.jpg" photos/a.jpg
    cp "$jpeg/jpeg_progressive.jpg" photos/b.JPEG
    fails 2 'a.jpg: 19 x 13 pixels; wanted 16 x 16 .*--fit' "$HSPACE" invert $M --images photos/a.jpg --steps 3 -q -o y.npy
    "$HSPACE" invert $M --images photos,"$jpeg/jpeg_grey.jpg" --fit --steps 3 -q -o y.npy --json | jq -e '.results.n == 3'
    "$HSPACE" score photos -q -o s.csv
    [ "$(wc -l <s.csv)" -eq 3 ]
    "$HSPACE" train --data photos --fit --arch tiny --batch 2 --steps 2 --grid 1 --grid-steps 2 -q -o m
    [ -s m/loss.csv ]
    head -c 300 photos/a.jpg >cut.jpg
    fails 3 '^hspace: cut.jpg: damaged JPEG: ' "$HSPACE" invert $M --images cut.jpg --fit --steps 3 -q -o z.npy
    fails 3 '^hspace: .*CMYK.*; convert it to RGB' "$HSPACE" invert $M --images "$jpeg/jpeg_cmyk.jpg" --fit --steps 3 -q -o z.npy
    [ ! -e z.npy ]
}
