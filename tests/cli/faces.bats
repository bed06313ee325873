#!/usr/bin/env bats
# faces: procedural pictures and their factors.

load support

@test "a folder holds one PNG a face and their factors; the same seed gives the same bytes" {
    "$HSPACE" faces -N 3 --size 24 -q -o a/ --json >a.json
    "$HSPACE" faces -N 3 --size 24 -q -o b/
    diff -r a b
    [ "$(ls a | tr '\n' ' ')" = "0000.png 0001.png 0002.png attributes.csv " ]
    file a/0002.png | grep -q 'PNG image data, 24 x 24, 8-bit/color RGB'
    [ "$(wc -l <a/attributes.csv)" -eq 4 ]
    head -1 a/attributes.csv >head.txt
    jq -r '"file," + ([.results.factors[].name] | join(","))' a.json | cmp - head.txt
    jq -e '.results.n == 3 and .results.images.shape == [3, 3, 24, 24]' a.json
    "$HSPACE" faces -N 3 --size 24 -q --seed 1 -o c/
    if cmp -s a/0000.png c/0000.png; then false; fi
}

@test "face i depends on the seed and i alone; styles share the factors, not the pixels" {
    "$HSPACE" faces -N 5 -q -o a/
    "$HSPACE" faces -N 2 -q -o b/
    cmp a/0001.png b/0001.png
    "$HSPACE" faces -N 5 --style lines -q -o c/
    cmp a/attributes.csv c/attributes.csv
    if cmp -s a/0001.png c/0001.png; then false; fi
}

@test "--vary draws one factor or two over their range and keeps the rest" {
    "$HSPACE" faces --vary smile --positions 3 -q -o a/
    [ "$(cut -d, -f2 a/attributes.csv | tr '\n' ' ')" = "smile -1 0 1 " ]
    [ "$(tail -n +2 a/attributes.csv | cut -d, -f3- | sort -u | wc -l)" -eq 1 ]
    "$HSPACE" faces --vary glasses,smile --positions 3 --size 16 -q -o g.png
    file g.png | grep -q 'PNG image data, 52 x 34'
    "$HSPACE" faces --vary smile,yaw --positions 4 --size 16 -q -o g.npy --json | jq -e '.results.n == 16'
}

@test "--first goes on where other faces end: held-out renders" {
    "$HSPACE" faces -N 5 -q -o a/
    "$HSPACE" faces -N 2 --first 3 -q -o b/
    cmp a/0003.png b/0000.png
    cmp a/0004.png b/0001.png
    [ "$(tail -1 a/attributes.csv | cut -d, -f2-)" = "$(tail -1 b/attributes.csv | cut -d, -f2-)" ]
    fails 2 '^hspace: --first: chooses among' "$HSPACE" faces --vary smile --first 3 -q -o c/
}

@test "--factors draws the faces of a table: its own attributes give the same bytes" {
    "$HSPACE" faces -N 4 -q -o a/
    "$HSPACE" faces --factors a/attributes.csv -q -o b/
    diff -r a b
    printf 'who,hat,smile\nann,0.7,0.25\n"bo, b",-3,9\n' >t.csv
    "$HSPACE" faces --factors t.csv -q -o c/
    [ "$(cut -d, -f2,13 c/attributes.csv | tr '\n' ' ')" = "smile,hat 0.25,1 1,0 " ]
    [ "$(cut -d, -f7 c/attributes.csv | tr '\n' ' ')" = "age 0.5 0.5 " ]
}

@test "a table that isn't one of factors is refused and leaves nothing" {
    printf 'who,nose\nann,1\n' >t.csv
    fails 3 'column "nose" is no factor' "$HSPACE" faces --factors t.csv -q -o a/
    printf 'who,smile\nann,wide\n' >t.csv
    fails 3 '^hspace: --factors: smile of ann is no number: "wide"' "$HSPACE" faces --factors t.csv -q -o a/
    printf 'who,smile\n' >t.csv
    fails 3 'no row below the header' "$HSPACE" faces --factors t.csv -q -o a/
    fails 5 'none.csv' "$HSPACE" faces --factors none.csv -q -o a/
    [ ! -e a ]
}

@test "the planted correlations are stated" {
    "$HSPACE" faces -N 1 -q --json | jq -e \
        '[.results.correlations[] | "\(.a) \(.b) \(.pearson)"] | sort ==
         ["age glasses 0.4", "eye_open brow 0.25", "hair_length beard -0.3", "smile mouth_open 0.3"] | . == true'
}

@test "--dry-run draws nothing" {
    "$HSPACE" faces -N 4 --size 16 -n -q -o a/ --json | jq -e '.results.plan.bytes == 12288 and .results.n == 4'
    [ ! -e a ]
}

@test "what doesn't fit is refused and leaves nothing" {
    fails 2 '^hspace: -N, --vary, --factors: 0 of them given' "$HSPACE" faces -q -o a/
    fails 2 '^hspace: -N, --vary, --factors: 2 of them given' "$HSPACE" faces -N 2 --vary smile -q -o a/
    fails 2 "^hspace: --vary: 'nose' is no factor" "$HSPACE" faces --vary nose -q -o a/
    fails 2 "^hspace: --vary: 'age' twice" "$HSPACE" faces --vary age,age -q -o a/
    fails 2 '^hspace: --vary: 3 factors' "$HSPACE" faces --vary age,yaw,hat -q -o a/
    fails 2 "^hspace: --style: 'oil' is unknown" "$HSPACE" faces -N 1 --style oil -q -o a/
    fails 2 '^hspace: --size: 7 is out of range' "$HSPACE" faces -N 1 --size 7 -q -o a/
    fails 2 '^hspace: --size: 1025 is out of range' "$HSPACE" faces -N 1 --size 1025 -q -o a/
    fails 2 '^hspace: faces: no -o; usage' "$HSPACE" faces -N 1
    fails 4 '^hspace: ' "$HSPACE" faces -N 2000000000 --size 1024 -q -o a/
    [ ! -e a ]
    mkdir a
    touch a/x
    fails 2 '^hspace: a/: the folder is not empty' "$HSPACE" faces -N 1 -q -o a/
}

@test "--captions says of each face what is true of it, the same for the same seed" {
    "$HSPACE" faces -N 40 --size 8 --captions -q --seed 3 -o a/
    "$HSPACE" faces -N 40 --size 8 --captions -q --seed 3 -o b/
    cmp a/captions.csv b/captions.csv
    [ "$(head -1 a/captions.csv)" = "file,caption" ]
    [ "$(wc -l <a/captions.csv)" -eq 41 ]
    if grep -Evq '^(file,caption|[0-9]{4}\.png,"[a-z ,]+")$' a/captions.csv; then false; fi
    # Where the caption speaks of glasses, the column of attributes.csv agrees.
    g=$(head -1 a/attributes.csv | tr , '\n' | grep -nx glasses | cut -d: -f1)
    for row in $(grep -v 'no glasses\|without glasses\|not wearing glasses' a/captions.csv | grep glasses | cut -d, -f1); do
        [ "$(grep "^$row," a/attributes.csv | cut -d, -f"$g")" = 1 ]
    done
    fails 2 '^hspace: --captions: go into a folder' "$HSPACE" faces -N 2 --captions -q -o c.png
}
