#!/usr/bin/env bash
# The paper's setting: Flan-T5 small, base and large on ARC-Easy and ARC-Challenge.
#
#   bash arc.sh                            all of it; with teach, train or compare: a part
#   sbatch --array=0-17 --gpus 1 --wrap "bash arc.sh train"
#                                         a student and a seed each, once teach is done
#
# What can be set, and what it does by itself, is told in steps.sh; what it costs in README.md.
NAME=arc
SETS=${SETS:-ARC-Easy ARC-Challenge}
train_of() { echo "hf://allenai/ai2_arc/$1/train"; }
test_of() { echo "hf://allenai/ai2_arc/$1/test"; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
