#!/usr/bin/env bash
# ScienceQA, the questions of text alone (those about images are left out), Flan-T5 small, base and large.
#
#   bash scienceqa.sh                            all of it; with teach, train or compare: a part
#   sbatch --array=0-8 --gpus 1 --wrap "bash scienceqa.sh train"
#                                         a student and a seed each, once teach is done
#
# What can be set, and what it does by itself, is told in steps.sh; what it costs in README.md.
NAME=scienceqa
SETS=${SETS:-scienceqa}
train_of() { echo hf://derek-thomas/ScienceQA/train; }
test_of() { echo hf://derek-thomas/ScienceQA/test; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
