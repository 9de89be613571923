"""Ranking passages by words: tokens, BM25, and the fusion with another ranking.

BM25 as in Robertson & Zaragoza, The Probabilistic Relevance Framework (2009), k1 = 1.2, b = 0.75;
fusion as in Cormack et al., Reciprocal Rank Fusion (2009), k = 60.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

K1 = 1.2
B = 0.75
FUSION = 60

_WORD = re.compile(r"[a-z0-9]+(?:[.'][a-z0-9]+)*", re.I)
_SUFFIXES = (
    ("ational", "ate"), ("ization", "ize"), ("isation", "ize"), ("fulness", "ful"),
    ("iveness", "ive"), ("ations", "ate"), ("ation", "ate"), ("ments", ""), ("ment", ""),
    ("ities", "ity"),
    ("ingly", ""), ("edly", ""), ("ions", "ion"), ("sses", "ss"), ("ies", "y"), ("ied", "y"),
    ("ising", "ize"), ("izing", "ize"), ("ised", "ize"), ("ized", "ize"),
    ("ing", ""), ("ise", "ize"), ("ely", "e"), ("ers", "er"), ("ed", ""), ("ly", ""), ("es", "e"),
)  # fmt: skip
_COMMON = """a about above after again all also am an and any anything are as at be because been
    before being but by can could did do does doing down during each else for from get give go had
    has have having he her here hers him his how i if in into is isn't it its just like many may me
    might more most much must my need no nor not now of off on once one only or other our ours out
    over own please same say says said tell she should shall so some something such than that that's
    the their them then there these they thing things this those through to too under until up us
    very was we were what what's when where which while who whom whose why will with would you your
    according documents docs document mention mentions explain show described describe policy's
    supposed know want okay ok"""
STOPWORDS = frozenset(_COMMON.split())


def stem(word: str) -> str:
    """A word without its commonest English endings."""
    if len(word) <= 3 or word[0].isdigit():
        return word
    for ending, instead in _SUFFIXES:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= 3:
            word = word[: len(word) - len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeious":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def tokens(text: str) -> list[str]:
    """The stems of a text's words, common words left out."""
    words = (w.lower().replace("’", "'").removesuffix("'s") for w in _WORD.findall(text))
    return [stem(w) for w in words if w not in STOPWORDS]


class Bm25:
    """An index of token lists; immutable once made, so threads may share it.

    Two words that also occur as one in the collection (`roll back`, `rollback`) match each other.

    Args:
        texts: the texts, in the order in which results number them.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        lists = [tokens(text) for text in texts]
        self.vocabulary = {word for words in lists for word in words}
        counts = [Counter(self._joined(words)) for words in lists]
        self.lengths = [sum(c.values()) for c in counts]
        self.mean = sum(self.lengths) / len(counts) if counts else 1.0
        self.postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, found in enumerate(counts):
            for word, times in found.items():
                self.postings[word].append((number, times))

    def query_terms(self, text: str) -> list[str]:
        """The distinct tokens of a query, with compounds that the collection knows."""
        return list(dict.fromkeys(self._joined(tokens(text))))

    def idf(self, word: str) -> float:
        """How rare a token is here; a token that is not here is the rarest."""
        seen = len(self.postings.get(word, ()))
        return math.log(1 + (len(self.lengths) - seen + 0.5) / (seen + 0.5))

    def rank(self, text: str) -> list[tuple[int, float]]:
        """The texts that share a token with the query, with their scores, best first."""
        scores: dict[int, float] = defaultdict(float)
        for word in self.query_terms(text):
            weight = self.idf(word)
            for number, times in self.postings.get(word, ()):
                norm = K1 * (1 - B + B * self.lengths[number] / self.mean)
                scores[number] += weight * times * (K1 + 1) / (times + norm)
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))

    def coverage(self, query: str, text: str) -> float:
        """The share, weighted by rarity, of the query's tokens that stand in a text; 0 to 1."""
        words = tokens(query)
        present = set(self._joined(tokens(text)))
        for first, second in pairwise(words):
            if first + second in present:
                present |= {first, second}
        terms = set(words)
        total = sum(self.idf(t) for t in terms)
        return sum(self.idf(t) for t in terms if t in present) / total if total else 0.0

    def _joined(self, words: list[str]) -> list[str]:
        pairs = (a + b for a, b in pairwise(words))
        return words + [pair for pair in pairs if pair in self.vocabulary]


def fuse(rankings: Iterable[Sequence[str]], k: int = FUSION) -> list[tuple[str, float]]:
    """Names ranked by the sum of 1 / (k + rank) over the rankings, best first."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] += 1 / (k + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
