"""Pictures for pages, as SVG without scripts or outside references: curves, a matrix, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 210, 56, 28, 24
MOST_POINTS = 400
_COLOURS = ("line-a", "line-b", "line-c")
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places in the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_low) / ((self.x_high - self.x_low) or 1)
        up = (y - self.y_low) / ((self.y_high - self.y_low) or 1)
        wide, high = WIDTH - LEFT - 8, HEIGHT - BOTTOM - TOP
        return round(LEFT + across * wide, 1), round(TOP + (1 - up) * high, 1)


def curves(title: str, lines: Mapping[str, Points], across: str) -> Markup:
    """Curves over one axis.

    Args:
        title: what a screen reader says of the picture.
        lines: name → points `(x, y)` with growing x; at most three are told apart by colour.
        across: what the horizontal axis is.
    """
    drawn = {name: _thinned(points) for name, points in lines.items() if points}
    every = [point for points in drawn.values() for point in points]
    if not every:
        return Markup("")
    scale = _Scale(
        min(x for x, _ in every),
        max(x for x, _ in every),
        min(y for _, y in every),
        max(y for _, y in every),
    )
    parts = [_axes(scale, across)]
    for number, (name, points) in enumerate(drawn.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = " ".join(f"{x},{y}" for x, y in (scale.place(*p) for p in points))
        parts.append(f'<polyline class="{colour}" points="{places}"/>')
        x = LEFT + 8 + number * 150
        parts.append(f'<text class="{colour}" x="{x}" y="{TOP - 10}">{escape(name)}</text>')
    return _picture(title, WIDTH, HEIGHT, parts)


def matrix(title: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """A confusion matrix: rows are the true classes, columns the predicted ones.

    Args:
        title: what a screen reader says of the picture.
        labels: the classes.
        counts: how many rows; the shade is the share of the true class.
    """
    side, margin = 44, 24 + 7 * max((len(_short(label)) for label in labels), default=0)
    size = side * len(labels)
    parts: list[str] = []
    for row, (label, found) in enumerate(zip(labels, counts, strict=True)):
        y, total = margin + row * side, sum(found) or 1
        name = escape(_short(label))
        parts.append(f'<text class="label" x="{margin - 6}" y="{y + 26}">{name}</text>')
        x = margin + row * side + 26
        turned = f"rotate(-60 {x} {margin - 8})"
        parts.append(f'<text x="{x}" y="{margin - 8}" transform="{turned}">{name}</text>')
        for column, count in enumerate(found):
            parts.append(_cell(margin + column * side, y, side, count, count / total))
    return _picture(title, margin + size + 60, margin + size + 4, parts)


def shares(title: str, parts: Mapping[str, tuple[int, str]]) -> Markup:
    """One bar of shares.

    Args:
        title: what a screen reader says of the picture.
        parts: name → (count, class of its colour: `good`, `busy` or `bad`).
    """
    total = sum(count for count, _ in parts.values()) or 1
    drawn: list[str] = []
    x = 0.0
    for name, (count, kind) in parts.items():
        wide = WIDTH * count / total
        if count:
            told = escape(f"{name}: {count}")
            drawn.append(
                f'<rect class="{kind}" x="{x:.1f}" y="0" width="{wide:.1f}" height="16">'
                f"<title>{told}</title></rect>"
            )
        x += wide
    return _picture(title, WIDTH, 16, drawn)


def intervals(title: str, rows: Sequence[tuple[str, float, float, float]]) -> Markup:
    """Values with their intervals on one axis, with a line at zero.

    Args:
        title: what a screen reader says of the picture.
        rows: name, lower end, value, upper end.
    """
    low = min(0.0, *(row[1] for row in rows))
    high = max(0.0, *(row[3] for row in rows))
    scale = _Scale(low, high, 0.0, 1.0)
    floor = TOP + 34 * len(rows)
    zero = scale.place(0.0, 0.0)[0]
    parts = [f'<path class="axis" d="M{zero} {TOP}V{floor}M{LEFT} {floor}H{WIDTH - 8}"/>']
    for number, (name, begin, value, end) in enumerate(rows):
        y = TOP + 17 + 34 * number
        left, middle, right = (scale.place(x, 0.0)[0] for x in (begin, value, end))
        parts.append(f'<path class="line-a" d="M{left} {y}H{right}M{left} {y - 6}V{y + 6}"/>')
        parts.append(f'<path class="line-a" d="M{right} {y - 6}V{y + 6}"/>')
        parts.append(f'<circle class="good" cx="{middle}" cy="{y}" r="5"/>')
        parts.append(f'<text x="{LEFT}" y="{y - 10}">{escape(name)} {value:+.1%}</text>')
    for x, told in ((scale.place(low, 0)[0], low), (scale.place(high, 0)[0], high)):
        parts.append(f'<text class="label" x="{x + 4}" y="{floor + 18}">{told:+.0%}</text>')
    return _picture(title, WIDTH, floor + 26, parts)


def _cell(x: float, y: float, side: int, count: int, share: float) -> str:
    ink = "dark" if share > 0.55 else "plain"
    number = f'<text class="{ink}" x="{x + side / 2}" y="{y + 26}">{count}</text>' if count else ""
    shade = f'<rect class="shade" x="{x}" y="{y}" width="{side - 1}" height="{side - 1}"'
    return f'{shade} fill-opacity="{share:.2f}"/>{number}'


def _axes(scale: _Scale, across: str) -> str:
    floor = HEIGHT - BOTTOM
    told = [
        f'<path class="axis" d="M{LEFT} {TOP}V{floor}H{WIDTH - 8}"/>',
        f'<text class="label" x="{LEFT - 6}" y="{TOP + 10}">{scale.y_high:.3g}</text>',
        f'<text class="label" x="{LEFT - 6}" y="{floor}">{scale.y_low:.3g}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{scale.x_low:.3g}</text>',
        f'<text class="label" x="{WIDTH - 8}" y="{HEIGHT - 8}">'
        f"{escape(across)} {scale.x_high:.3g}</text>",
    ]
    return "".join(told)


def _picture(title: str, wide: float, high: float, parts: Sequence[str]) -> Markup:
    head = f'<svg class="picture" viewBox="0 0 {wide} {high}" role="img">'
    return Markup(f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>")  # noqa: S704 - every text in it is escaped


def _thinned(points: Points) -> Points:
    step = max(1, len(points) // MOST_POINTS)
    return [*points[::step], points[-1]] if step > 1 else points


def _short(label: str) -> str:
    return label if len(label) <= 18 else f"{label[:17]}…"
