#!/usr/bin/env bash
# OpenBookQA, Flan-T5 small, base and large.
#
#   bash openbookqa.sh                            all of it; with teach, train or compare: a part
#   sbatch --array=0-8 --gpus 1 --wrap "bash openbookqa.sh train"
#                                         a student and a seed each, once teach is done
#
# What can be set, and what it does by itself, is told in steps.sh; what it costs in README.md.
NAME=openbookqa
SETS=${SETS:-openbookqa}
train_of() { echo hf://allenai/openbookqa/main/train; }
test_of() { echo hf://allenai/openbookqa/main/test; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
