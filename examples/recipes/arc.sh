#!/usr/bin/env bash
# The paper's setting: Flan-T5 small, base and large on ARC-Easy and ARC-Challenge.
#
#   bash arc.sh                            all steps; add teach, train or compare for one
#   sbatch --array=0-17 --gpus 1 --wrap "bash arc.sh train"
#                                         one student and seed per task, after teach
#
# steps.sh lists the settings and their defaults, README.md the costs.
NAME=arc
SETS=${SETS:-ARC-Easy ARC-Challenge}
train_of() { echo "hf://allenai/ai2_arc/$1/train"; }
test_of() { echo "hf://allenai/ai2_arc/$1/test"; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
