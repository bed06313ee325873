#!/usr/bin/env bats
# CLIP from outside: score --readout clip, clip:A|B, info, and folders that aren't what they should be.
load support

M="--model random:tiny --steps 3"

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    H="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    python3 "$BATS_TEST_DIRNAME/../support/clip.py" clip
    "$H" dump --model random:tiny --steps 3 -N 12 -o acts.h5 2>/dev/null
    "$H" pca acts.h5 -k 1 -o pca.h5 >/dev/null
    "$H" faces -N 3 --size 24 -q -o faces/
}
link() { ln -sf "$BATS_FILE_TMPDIR"/{clip,pca.h5,faces} .; }

@test "info: a CLIP's sizes" {
    link
    "$HSPACE" info clip --json | jq -e '.results | .kind == "clip" and .image == [3, 16, 16] and .patch == 8 and
        .context == 10 and .vocab == 514 and .projection == 8 and .logit_scale == 2 and .text.hidden == 16 and
        .vision.activation == "quick_gelu"'
}

@test "score --readout clip: a column a text, cosines; the same for one text alone" {
    link
    "$HSPACE" score faces --readout clip --texts "a face,A hat" --clip clip -o s.csv --json >s.json
    [ "$(head -1 s.csv)" = "file,a face,A hat" ]
    jq -e '.results | .n == 3 and [.scores[].name] == ["a face", "A hat"] and
           ([.scores[].values[] | . >= -1 and . <= 1] | all) and .scores[0].sd > 0' s.json
    jq -e '[.inputs[].path] | index("clip/vocab.json") != null and index("clip/model.safetensors") != null' s.json
    "$HSPACE" score faces --readout clip --texts "a  HAT" --clip clip -q -o h.csv
    [ "$(tail -1 h.csv | cut -d, -f2)" = "$(tail -1 s.csv | cut -d, -f3)" ]
}

@test "sweep: clip:A|B is the difference of the cosines over the distance of the texts" {
    link
    "$HSPACE" sweep $M -N 3 --direction pca.h5:pc0 --strengths 0,1 "--readout=clip:a face|hat,x0,clip:hat|a face" \
        --clip-model clip -o s.h5 --json >s.json 2>/dev/null
    jq -e '[.results.readouts[].name] == ["clip:a face|hat", "x0", "clip:hat|a face"]' s.json
    jq -e '.results.readouts | (.[0].mean[1] + .[2].mean[1] | fabs) < 1e-6 and (.[0].mean[0] | fabs) < 1' s.json
    "$HSPACE" sample $M -N 3 -q -o x.npy
    "$HSPACE" score x.npy --readout clip --texts "a face,hat" --clip clip --json >c.json
    # both are means over images: their ratio is the distance of the texts, the same at other images
    "$HSPACE" sweep $M -N 1 --direction pca.h5:pc0 --strengths 0,1 "--readout=clip:a face|hat" --clip-model clip -o t.h5 \
        --json >t.json 2>/dev/null
    jq -e --slurpfile s s.json --slurpfile t t.json '.results.scores as $c |
        (($c[1].mean - $c[0].mean) / $s[0].results.readouts[0].mean[0]) as $all |
        (($c[1].values[0] - $c[0].values[0]) / $t[0].results.readouts[0].mean[0]) as $one |
        ($all / $one - 1 | fabs) < 1e-3 and $all > 0 and $all < 2' c.json
}

@test "refusals: texts" {
    link
    fails 2 "wanted --texts" "$HSPACE" score faces --readout clip --clip clip -o x.csv
    fails 2 "go with --readout clip" "$HSPACE" score faces --texts "a face" --clip clip -o x.csv
    fails 2 "an empty text" "$HSPACE" score faces --readout clip --texts " " --clip clip -o x.csv
    fails 2 'text "a smiling face": 14 tokens.*holds 10' "$HSPACE" score faces --readout clip --texts "a smiling face" --clip clip \
        -o x.csv
    "$HSPACE" score faces --readout clip --texts "a smiling face" --truncate --clip clip -q -o cut.csv
    fails 2 "A.B" "$HSPACE" sweep $M -N 1 --direction pca.h5:pc0 --strengths 0,1 --readout "clip:face" --clip-model clip -q -o x.h5
    fails 6 "no direction" "$HSPACE" sweep $M -N 1 --direction pca.h5:pc0 --strengths 0,1 --readout "clip:hat|Hat" --clip-model clip \
        -q -o x.h5
    fails 5 "no CLIP that ships" "$HSPACE" score faces --readout clip --texts hat --clip nowhere -o x.csv
    [ ! -e x.csv ]
}

@test "refusals: folders" {
    link
    broken() { # JQ-FILTER FILE CODE MESSAGE
        rm -rf b
        cp -rL clip b
        jq "$1" clip/"$2" >b/"$2"
        fails "$3" "$4" "$HSPACE" score faces --readout clip --texts hat --clip b -o x.csv
    }
    broken '.text_config.num_hidden_layers = 2' config.json 3 'text_model.encoder.layers.1.layer_norm1.weight" .16. is missing'
    broken '.vision_config.image_size = 24' config.json 3 'position_embedding.weight" is .5, 16., the configuration wants .10, 16.'
    broken '.text_config.vocab_size = 500' config.json 3 "vocab.json has 514 tokens"
    broken '.text_config.eos_token_id = 7' config.json 3 "eos_token_id is 7"
    broken '.model_type = "siglip"' config.json 3 'model_type is "siglip"'
    broken '.vision_config.hidden_act = "relu"' config.json 3 "hidden_act"
    broken '.vision_config.num_attention_heads = 3' config.json 3 "heads"
    broken 'del(.["<|endoftext|>"])' vocab.json 3 "vocab.json: the vocabulary lacks"
    broken '.["a"] = 1' vocab.json 3 "vocab.json: the id of"
    cp clip/vocab.json b/
    echo "h a" >b/merges.txt
    fails 3 'merges.txt: line 1: the vocabulary lacks "ha"' "$HSPACE" score faces --readout clip --texts hat --clip b -o x.csv
    cp clip/merges.txt b/
    echo '{"resample": 2}' >b/preprocessor_config.json
    fails 3 "resample is 2" "$HSPACE" score faces --readout clip --texts hat --clip b -o x.csv
    echo '{"crop_size": 8}' >b/preprocessor_config.json
    fails 3 "crop_size is 8" "$HSPACE" score faces --readout clip --texts hat --clip b -o x.csv
    rm b/preprocessor_config.json b/model.safetensors
    fails 5 "model.safetensors" "$HSPACE" score faces --readout clip --texts hat --clip b -o x.csv
    [ ! -e x.csv ]
}
