"""Write a small science world: questions, and a scripted tutor's replies to them.

The world (world.yaml) is two hops deep: a nail is made of steel, and steel conducts electricity.
A row of train.jsonl and test.jsonl is a question:

    {"id": "train-0001", "question": "Which of these conducts electricity?",
     "choices": [{"label": "A", "text": "candle"}, {"label": "B", "text": "nail"}, ...],
     "answer": "B", "meta": {"block": "things/conducts electricity/2",
                             "fact": "nail/conducts electricity", "domain": "things"}}

A row of train_replies.jsonl and test_replies.jsonl is the tutor's raw reply to it:

    {"id": "train-0001", "reply": "The candle is made of wax, which does not conduct electricity.
     The nail is made of steel, which conducts electricity. ...\\nAnswer: B",
     "stop_reason": "end_turn"}

Each fact (an entity and a property) is in one block, and all facts of a question are in the same
block. One block in five is held out for the test, so test questions ask for facts that are not in
the training set, although each of their hops (nail to steel, steel to electricity) occurs in
training with other facts. A share of the tutor's training replies (--noise) is wrong, truncated or
refused; all replies to test questions are right.
"""

import argparse
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WORLD = Path(__file__).with_name("world.yaml")
BLOCKS = 5  # blocks of each property; the last one is held out for the test
LABELS = "ABCDE"
FAULTS = ("wrong", "cut", "refused")
LIMITS = {"train": (1, 10**6), "test": (1, 10**6), "choices": (2, len(LABELS)), "noise": (0, 1)}
REFUSAL = "I can't help with this question."

Row = dict[str, Any]


class SizeError(ValueError):
    """A requested size is larger than the world allows."""


@dataclass(frozen=True)
class Domain:
    name: str
    question: str
    explanation: str
    negative: dict[str, str]  # property -> the phrase for lacking it
    kinds: dict[str, str]  # entity -> its kind
    has: dict[str, frozenset[str]]  # kind -> its properties

    def true(self, entity: str, prop: str) -> bool:
        return prop in self.has[self.kinds[entity]]

    def phrase(self, prop: str, holds: bool) -> str:
        return prop if holds else self.negative[prop]


@dataclass(frozen=True)
class Item:
    """A question: which choice has `prop`? If `holds` is False: which choice lacks it?

    `answer` and `others` are the entities to choose from. Their order is drawn later.
    """

    domain: Domain
    block: str
    prop: str
    holds: bool
    answer: str
    others: tuple[str, ...]


def load_world(path: Path, entities: int) -> list[Domain]:
    """Read the domains from `path`, limited to `entities` entities in total.

    The entities are spread evenly over the kinds of all domains. Raises SizeError if `entities` is
    too small or too large.
    """
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    kinds = [(name, kind) for name, domain in data["domains"].items() for kind in domain["kinds"]]
    listed = {key: data["domains"][key[0]]["kinds"][key[1]]["entities"] for key in kinds}
    rounds = itertools.zip_longest(*([(key, e) for e in listed[key]] for key in kinds))
    dealt = [pair for pair in itertools.chain.from_iterable(rounds) if pair]
    low = 4 * len(kinds)  # with fewer, some hops might occur only in the test
    if not low <= entities <= len(dealt):
        raise SizeError(f"--entities must be from {low} to {len(dealt)}, not {entities}")
    return [
        Domain(
            name=name,
            question=data["question"],
            explanation=domain["explanation"],
            negative=domain["properties"],
            kinds={entity: kind for (where, kind), entity in dealt[:entities] if where == name},
            has={kind: frozenset(entry["has"]) for kind, entry in domain["kinds"].items()},
        )
        for name, domain in data["domains"].items()
    ]


def split_blocks(domain: Domain, rng: random.Random) -> Iterator[tuple[str, str, list[str]]]:
    """Split the entities of `domain` into blocks, anew for each property. Yield (block, property,
    entities). The entities of each kind are spread evenly over the blocks."""
    for prop in domain.negative:
        by_kind: dict[str, list[str]] = defaultdict(list)
        for entity in rng.sample(sorted(domain.kinds), len(domain.kinds)):
            by_kind[domain.kinds[entity]].append(entity)
        order = list(itertools.chain.from_iterable(by_kind.values()))
        for number in range(BLOCKS):
            yield f"{domain.name}/{prop}/{number + 1}", prop, order[number::BLOCKS]


def block_items(
    domain: Domain, block: str, prop: str, entities: Sequence[str], choices: int
) -> Iterator[Item]:
    """Yield all questions of a block: only the answer has `prop`, or only the answer lacks it."""
    for answer in entities:
        holds = domain.true(answer, prop)
        opposite = [entity for entity in entities if domain.true(entity, prop) != holds]
        for others in itertools.combinations(opposite, choices - 1):
            yield Item(domain, block, prop, holds, answer, others)


def pick(items: Iterable[Item], count: int, what: str, rng: random.Random) -> list[Item]:
    """Choose `count` questions, about equally many for each fact (answer and property).

    No two test questions, and no two training questions about one property, have the same choices.
    Raises SizeError if there are not enough questions.

    An entity gains credit when it is the right answer of a chosen question, and loses credit when
    it is a wrong choice. Questions with "has" and with "lacks" give separate credits. For each
    fact, the question whose wrong choices have the most credit in total is chosen. So an entity
    that is often the right answer is often a wrong choice too, and a student cannot guess from how
    often an entity was the right answer in training.
    """
    by_fact: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        by_fact[item.answer, item.prop].append(item)
    for group in by_fact.values():
        rng.shuffle(group)
    picked: list[Item] = []
    seen: set[tuple[str, frozenset[str]]] = set()

    def key(item: Item) -> tuple[str, frozenset[str]]:
        return "" if what == "test" else item.prop, frozenset((item.answer, *item.others))

    credit: Counter[tuple[str, bool]] = Counter()
    while len(picked) < count and by_fact:
        for fact in rng.sample(sorted(by_fact), len(by_fact)):
            group = [item for item in by_fact[fact] if key(item) not in seen]
            if not group:
                del by_fact[fact]
                continue
            best = max(group, key=lambda item: sum(credit[e, item.holds] for e in item.others))
            group.remove(best)
            by_fact[fact] = group
            seen.add(key(best))
            credit[best.answer, best.holds] += len(best.others)
            credit.subtract((other, best.holds) for other in best.others)
            picked.append(best)
    if len(picked) < count:
        raise SizeError(f"--{what} {count}: this world yields only {len(picked)} questions")
    return rng.sample(picked[:count], count)


def question_row(item: Item, row_id: str, rng: random.Random) -> Row:
    texts = rng.sample([item.answer, *item.others], len(item.others) + 1)
    labels = LABELS[: len(texts)]
    fact = f"{item.answer}/{item.prop}"
    return {
        "id": row_id,
        "question": item.domain.question.format(phrase=item.domain.phrase(item.prop, item.holds)),
        "choices": [{"label": label, "text": texts[n]} for n, label in enumerate(labels)],
        "answer": labels[texts.index(item.answer)],
        "meta": {"block": item.block, "fact": fact, "domain": item.domain.name},
    }


def reply_row(item: Item, row: Row, fault: str, rng: random.Random) -> Row:
    """Return the tutor's reply: two hops for each choice and the answer line, or a faulty reply."""
    if fault == "refused":
        return {"id": row["id"], "reply": REFUSAL, "stop_reason": "refusal"}
    believed = rng.choice(item.others) if fault == "wrong" else item.answer
    sentences = []
    for choice in row["choices"]:
        entity = choice["text"]
        kind = item.domain.kinds[entity]
        phrase = item.domain.phrase(item.prop, item.holds == (entity == believed))
        article = "an" if kind[0] in "aeiou" else "a"
        sentences.append(
            item.domain.explanation.format(entity=entity, a=article, kind=kind, phrase=phrase)
        )
    explanation = " ".join(sentences)
    if fault == "cut":
        words = explanation.split()
        half = " ".join(words[: rng.randint(len(words) // 3, 2 * len(words) // 3)])
        return {"id": row["id"], "reply": half, "stop_reason": "max_tokens"}
    label = next(choice["label"] for choice in row["choices"] if choice["text"] == believed)
    return {"id": row["id"], "reply": f"{explanation}\nAnswer: {label}", "stop_reason": "end_turn"}


def make_rows(
    items: Sequence[Item], name: str, noise: float, rng: random.Random
) -> tuple[list[Row], list[Row]]:
    faulty = rng.sample(range(len(items)), round(noise * len(items)))
    faults = {index: FAULTS[turn % len(FAULTS)] for turn, index in enumerate(faulty)}
    questions, replies = [], []
    for index, item in enumerate(items):
        questions.append(question_row(item, f"{name}-{index + 1:04d}", rng))
        replies.append(reply_row(item, questions[-1], faults.get(index, ""), rng))
    return questions, replies


def make_world(
    *, entities: int, train: int, test: int, choices: int, noise: float, seed: int
) -> dict[str, list[Row]]:
    """Return the rows of each file, by the file's name; raise SizeError for too large a size."""
    rng = random.Random(seed)
    pools: dict[str, list[Item]] = {"train": [], "test": []}
    for domain in load_world(WORLD, entities):
        for block, prop, members in split_blocks(domain, rng):
            pool = "test" if block.endswith(f"/{BLOCKS}") else "train"
            pools[pool].extend(block_items(domain, block, prop, members, choices))
    files: dict[str, list[Row]] = {}
    for name, count, share in (("train", train, noise), ("test", test, 0.0)):
        rng = random.Random(f"{seed}/{name}")  # the test does not depend on the size of train
        items = pick(pools[name], count, name, rng)
        files[f"{name}.jsonl"], files[f"{name}_replies.jsonl"] = make_rows(items, name, share, rng)
    return files


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Write a small science world as JSONL files.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    parser.add_argument("--entities", type=int, default=100, help="size of the world [%(default)s]")
    parser.add_argument("--train", type=int, default=4000, help="training questions [%(default)s]")
    parser.add_argument("--test", type=int, default=320, help="test questions [%(default)s]")
    parser.add_argument("--choices", type=int, default=3, help="choices a question [%(default)s]")
    parser.add_argument("--noise", type=float, default=0.04, help="bad replies [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser()
    args = vars(parser.parse_args(argv))
    for name, (low, high) in LIMITS.items():
        if not low <= args[name] <= high:
            parser.error(f"argument --{name}: must be from {low} to {high}, not {args[name]}")
    out: Path = args.pop("out")
    try:
        files = make_world(**args)
        out.mkdir(parents=True, exist_ok=True)
    except (SizeError, OSError) as error:
        parser.error(str(error))
    for name, rows in files.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / name).write_text(text, encoding="utf-8")
        print(f"{out / name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
