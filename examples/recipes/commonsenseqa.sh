#!/usr/bin/env bash
# CommonsenseQA, Flan-T5 small, base and large. Its test set has no answers: validation is the test.
#
#   bash commonsenseqa.sh                            all of it; with teach, train or compare: a part
#   sbatch --array=0-8 --gpus 1 --wrap "bash commonsenseqa.sh train"
#                                         a student and a seed each, once teach is done
#
# What can be set, and what it does by itself, is told in steps.sh; what it costs in README.md.
NAME=commonsenseqa
SETS=${SETS:-commonsenseqa}
train_of() { echo hf://tau/commonsense_qa/train; }
test_of() { echo hf://tau/commonsense_qa/validation; }
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
recipe "$@"
