"""Draw the imports between scicot's parts as a diagram in docs/architecture.md.

`make docs` runs this script, and a test checks that the page is up to date. The diagram comes from
the imports in the code, not from the layers that `make check` enforces. An arrow that others imply
(A -> B -> C implies A -> C) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grimp

PAGE = Path(__file__).with_name("architecture.md")
BEGIN, END = "<!-- imports: written by `make docs`, do not edit -->\n", "<!-- imports: end -->\n"

Graph = Mapping[str, set[str]]


def imports() -> dict[str, set[str]]:
    """Return the import graph: each child of the package scicot, and scicot_cli, mapped to the
    others that it imports."""
    graph = grimp.build_graph("scicot", "scicot_cli", include_external_packages=False)
    children = {name.removeprefix("scicot."): name for name in graph.find_children("scicot")}
    nodes = {**children, "scicot_cli": "scicot_cli"}
    found: dict[str, set[str]] = {node: set() for node in nodes}
    for node, module in nodes.items():
        for inner in {module, *graph.find_descendants(module)}:
            for imported in graph.find_modules_directly_imported_by(inner):
                parts = imported.split(".")
                other = parts[0] if parts[0] == "scicot_cli" else ".".join(parts[1:2])
                if other in nodes and other != node:
                    found[node].add(other)
    return found


def reduced(graph: Graph) -> dict[str, set[str]]:
    """Return `graph` without the arrows that a path of several arrows implies."""
    reach: dict[str, set[str]] = {}

    def reachable(node: str) -> set[str]:
        if node not in reach:
            reach[node] = set().union(*({own, *reachable(own)} for own in graph[node]), set())
        return reach[node]

    return {
        node: {own for own in found if not any(own in reachable(other) for other in found - {own})}
        for node, found in graph.items()
    }


def render() -> str:
    """Return the diagram as a Mermaid code block."""
    graph = reduced(imports())
    edges = [f"    {node} --> {own}" for node in sorted(graph) for own in sorted(graph[node])]
    return "\n".join(["```mermaid", "graph TD", *edges, "```", ""])


def page() -> str:
    """The page as it ought to be."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{render()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
