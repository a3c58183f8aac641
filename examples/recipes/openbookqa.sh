#!/usr/bin/env bash
# OpenBookQA, Flan-T5 small, base and large.
#
#   bash openbookqa.sh                            all steps; add teach, train or compare for one
#   sbatch --array=0-8 --gpus 1 --wrap "bash openbookqa.sh train"
#                                         one student and seed per task, after teach
#
# steps.sh lists the settings and their defaults, README.md the costs.
NAME=openbookqa
SETS=${SETS:-openbookqa}
train_of() { echo hf://allenai/openbookqa/main/train; }
test_of() { echo hf://allenai/openbookqa/main/test; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
