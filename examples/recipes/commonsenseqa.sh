#!/usr/bin/env bash
# CommonsenseQA, Flan-T5 small, base and large. Its test set has no public answers, so validation is used.
#
#   bash commonsenseqa.sh                            all steps; add teach, train or compare for one
#   sbatch --array=0-8 --gpus 1 --wrap "bash commonsenseqa.sh train"
#                                         one student and seed per task, after teach
#
# steps.sh lists the settings and their defaults, README.md the costs.
NAME=commonsenseqa
SETS=${SETS:-commonsenseqa}
train_of() { echo hf://tau/commonsense_qa/train; }
test_of() { echo hf://tau/commonsense_qa/validation; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
