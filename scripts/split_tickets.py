"""Make the bundled tickets from their source: merge, drop near-duplicates, split 70/10/20.

    python -m scripts.split_tickets SOURCE.jsonl...

Writes train.jsonl, validation.jsonl, test.jsonl and README.md into tools/datasets/bundled/tickets.
The same source gives the same files, byte for byte.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tools.datasets import splits
from tools.datasets.columns import Row

TARGET = Path(__file__).resolve().parent.parent / "tools/datasets/bundled/tickets"
FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
SEED = 20261

README = """# Bundled tickets (synthetic)

{rows} messages to the help desk of an invented software product, in eight classes:
{classes}.

**All of it is synthetic**: a language model wrote it for this project, one message at a time, with
varied lengths, tones, typing errors and mixed topics, without templates. No person, company or
address in it is real. It serves demonstrations and tests; accuracy on it says little about
anybody's real tickets.

One JSON object a line: `text` and `label`.

| split | rows |
|---|---|
{table}

How it was made: three sets were written independently of each other, merged, and every ticket that
nearly repeats an earlier one was dropped (equal after normalisation, or Jaccard similarity of the
word sets of at least 0.8). The split is stratified by class and seeded ({seed}), and no two tickets
in different splits are near-duplicates. `scripts/split_tickets.py` does all of this, and
`tests/datasets/test_tickets.py` checks it.

Licence: as the project.
"""


def main(sources: list[str]) -> int:
    rows = [
        Row(value["text"].strip(), value["label"])
        for source in sources
        for value in map(json.loads, Path(source).read_text(encoding="utf-8").splitlines())
    ]
    group = splits.groups([row.text for row in rows])
    first = dict(reversed(list(zip(group, rows, strict=True))))
    kept = [row for row, number in zip(rows, group, strict=True) if first[number] is row]
    splits.assign(kept, list(range(len(kept))), fractions=FRACTIONS, seed=SEED)
    counts = Counter(row.split for row in kept)
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in FRACTIONS:
        lines = [
            json.dumps({"text": row.text, "label": row.label}, ensure_ascii=False)
            for row in kept
            if row.split == name
        ]
        (TARGET / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    readme = README.format(
        rows=len(kept),
        classes=", ".join(sorted({row.label for row in kept})),
        table="\n".join(f"| {name} | {counts[name]} |" for name in FRACTIONS),
        seed=SEED,
    )
    (TARGET / "README.md").write_text(readme, encoding="utf-8")
    print(f"{len(rows)} tickets, {len(rows) - len(kept)} near-duplicates dropped, {dict(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
