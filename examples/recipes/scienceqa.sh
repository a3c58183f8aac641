#!/usr/bin/env bash
# ScienceQA, text-only questions (those with images are left out), Flan-T5 small, base and large.
#
#   bash scienceqa.sh                            all steps; add teach, train or compare for one
#   sbatch --array=0-8 --gpus 1 --wrap "bash scienceqa.sh train"
#                                         one student and seed per task, after teach
#
# steps.sh lists the settings and their defaults, README.md the costs.
NAME=scienceqa
SETS=${SETS:-scienceqa}
train_of() { echo hf://derek-thomas/ScienceQA/train; }
test_of() { echo hf://derek-thomas/ScienceQA/test; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
