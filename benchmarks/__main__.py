"""`make bench`: run every benchmark, or those named as arguments, and print their ratios."""

from __future__ import annotations

import sys

from benchmarks import evaluating, generating, reading, startup
from benchmarks.predicting import table as predict_table
from benchmarks.training import table

BENCHMARKS = {
    "startup": startup,
    "reading": reading,
    "generate": generating,
    "evaluating": evaluating,
}

TABLES = {"train": table, "predict": predict_table}  # benchmarks with more than two implementations


def main(names: list[str]) -> None:
    allowed = [*BENCHMARKS, *TABLES]
    unknown = sorted({*names} - {*allowed})
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there is {', '.join(allowed)}")
    for name in names or allowed:
        if name in TABLES:
            table = TABLES[name]
            print(f"{name}: {(table.__doc__ or '').splitlines()[0]}\n  goal: {table.GOAL}")
            table.print_figures()
            continue
        module = BENCHMARKS[name]
        ratio = module.measure()
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}")
        print(
            f"  {1000 * ratio.ours:.0f} ms against {1000 * ratio.theirs:.0f} ms:"
            f" ratio {ratio.ratio:.2f} (median of {ratio.pairs} pairs; goal: {module.GOAL})"
        )
        if module in (generating, reading):
            module.print_figures()


if __name__ == "__main__":
    main(sys.argv[1:])
