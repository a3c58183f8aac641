"""`make bench`: run every benchmark, or those named as arguments, and print their ratios."""

from __future__ import annotations

import sys

from benchmarks import evaluating, generating, reading, startup
from benchmarks.training import table

BENCHMARKS = {
    "startup": startup,
    "reading": reading,
    "generate": generating,
    "evaluating": evaluating,
}


def main(names: list[str]) -> None:
    known = [*BENCHMARKS, "train"]
    unknown = sorted({*names} - {*known})
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there is {', '.join(known)}")
    for name in names or known:
        if name == "train":  # more than two ways, and a table
            print(f"train: {(table.__doc__ or '').splitlines()[0]}\n  goal: {table.GOAL}")
            table.more()
            continue
        module = BENCHMARKS[name]
        ratio = module.measure()
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}")
        print(
            f"  {1000 * ratio.ours:.0f} ms against {1000 * ratio.theirs:.0f} ms:"
            f" ratio {ratio.ratio:.2f} (median of {ratio.pairs} pairs; goal: {module.GOAL})"
        )
        if module is generating:
            generating.more()


if __name__ == "__main__":
    main(sys.argv[1:])
