#!/usr/bin/env bats
# The attribute network from outside: score, attr:NAME and feat, models that ship.
load support

M="--model random:tiny --steps 3"

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    H="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    python3 "$BATS_TEST_DIRNAME/../support/attrnet.py" attr
    "$H" dump --model random:tiny --steps 3 -N 12 -o acts.h5 2>/dev/null
    "$H" pca acts.h5 -k 1 -o pca.h5 >/dev/null
    "$H" faces -N 3 --size 16 -q -o faces/
}
link() { ln -sf "$BATS_FILE_TMPDIR"/{attr,pca.h5,faces} .; }

@test "score: a row a file, a column a factor; arrays and pictures agree" {
    link
    "$HSPACE" score faces --attr attr -o s.csv --json >s.json
    [ "$(head -1 s.csv)" = "file,smile,hat,age" ]
    [ "$(cut -d, -f1 s.csv | tr '\n' ' ')" = "file 0000.png 0001.png 0002.png " ]
    jq -e '.results | .n == 3 and .files == ["0000.png", "0001.png", "0002.png"]
           and ([.scores[].name] == ["smile", "hat", "age"]) and ([.scores[].values | length] == [3, 3, 3])
           and (.scores[1].values | min > 0 and max < 1) and .scores[0].sd > 0' s.json
    jq -e '[.inputs[].path] | .[0] == "attr/config.json" and .[1] == "attr/model.safetensors" and length == 5' s.json
    "$HSPACE" score faces/0001.png --attr attr -q -o one.csv
    [ "$(tail -1 one.csv)" = "$(sed -n 3p s.csv)" ]
    "$HSPACE" faces -N 3 --size 16 -q -o f.npy # not rounded to bytes as the PNGs are: a near row
    "$HSPACE" score f.npy --attr attr --json | jq -e --slurpfile s s.json '.results.files == ["0", "1", "2"] and
        ([.results.scores[].values[]] as $a | [$s[0].results.scores[].values[]] as $b |
         [range(9) | ($a[.] - $b[.]) | fabs] | max < 0.02)'
}

@test "score: chosen factors, features, other sizes, refusals" {
    link
    "$HSPACE" score faces --attr attr -q -o s.csv
    "$HSPACE" score faces --attr attr --attributes age,smile -q -o two.csv
    [ "$(head -1 two.csv)" = "file,age,smile" ]
    [ "$(tail -1 two.csv | cut -d, -f3)" = "$(tail -1 s.csv | cut -d, -f2)" ]
    "$HSPACE" score faces --attr attr --readout feat -q -o f.csv
    [ "$(head -1 f.csv)" = "file,feat0,feat1,feat2,feat3,feat4,feat5,feat6,feat7,feat8,feat9" ]
    "$HSPACE" faces -N 1 --size 40 -q -o big/
    "$HSPACE" score big --attr attr --json | jq -e '.results.n == 1'
    fails 2 "smile, hat, age" "$HSPACE" score faces --attr attr --attributes nose -o x.csv
    fails 2 "ending in one of csv" "$HSPACE" score faces --attr attr -o x.txt
    fails 2 "exists" "$HSPACE" score faces --attr attr -o s.csv
    fails 5 "no attribute network that ships" "$HSPACE" score faces --attr nowhere -o x.csv
    fails 5 "nofile.png" "$HSPACE" score nofile.png --attr attr -o x.csv
    cp -rL attr broken
    sed -i 's/"features": 10/"features": 11/' broken/config.json
    fails 3 "features.weight" "$HSPACE" score faces --attr broken -o x.csv
    sed -i 's/HspaceAttrNet/Other/' broken/config.json
    fails 3 "_class_name" "$HSPACE" score faces --attr broken -o x.csv
    [ ! -e x.csv ]
}

@test "sweep: attr:NAME is the score of its images; feat is a vector" {
    link
    "$HSPACE" sweep $M -N 2 --direction pca.h5:pc0 --strengths 0,1 --readout attr:smile,feat,attr:hat --attr attr -o s.h5 \
        --json >s.json 2>/dev/null
    jq -e '[.results.readouts[] | [.name, .vector]] == [["attr:smile", false], ["feat", true], ["attr:hat", false]]' s.json
    jq -e '[.inputs[].path] | index("attr/model.safetensors") != null' s.json
    "$HSPACE" sample $M -N 2 -q -o x.npy
    "$HSPACE" score x.npy --attr attr --json | jq -e --slurpfile s s.json \
        '(.results.scores[0].mean - $s[0].results.readouts[0].mean[0]) | fabs < 1e-4'
    "$HSPACE" linearity --sweep s.h5 --readout attr:smile --json >l.json || [ $? -eq 11 ]
    fails 2 "smile, hat, age" "$HSPACE" sweep $M -N 1 --direction pca.h5:pc0 --strengths 0,1 --readout attr:nose \
        --attr attr -q -o x.h5
}

@test "a model that ships is found by name; what lies here comes first" {
    link
    mkdir -p data/models
    cp -rL attr data/models/my-attr
    HSPACE_DATADIR="$PWD/data" "$HSPACE" score faces --attr my-attr --json | jq -e '.results.n == 3'
    HSPACE_DATADIR="$PWD/data" "$HSPACE" info my-attr --json | jq -e '.results | .kind == "attributes" and
        .image == [3, 16, 16] and .features == 10 and [.factors[].kind] == ["continuous", "binary", "continuous"]'
    fails 5 "my-attr" "$HSPACE" score faces --attr my-attr -o x.csv
    mkdir my-attr
    fails 5 "my-attr/config.json" env HSPACE_DATADIR="$PWD/data" "$HSPACE" score faces --attr my-attr -o x.csv
    mkdir data/models/hollow
    fails 3 "data/models/hollow: no model folder" env HSPACE_DATADIR="$PWD/data" "$HSPACE" sample --model hollow -N 1 -q -o x.npy
    fails 5 "no-model" env HSPACE_DATADIR="$PWD/data" "$HSPACE" sample --model no-model --steps 2 -N 1 -q -o x.npy
}
