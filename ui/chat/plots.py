"""Figures where people look rather than read, as Plotly's own JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

Json = dict[str, Any]
_INK = "#8a93a3"
_COLOURS = ("#1b8ea3", "#e4572e", "#2a9d5c", "#b8860b", "#8e5bd0", "#0f8b8d")
CURVES_SHOWN = 6
_NO_CURVES = frozenset({"epoch", "learning_rate", "examples_per_second", "eta_seconds"})
_SHARES = ("accuracy", "f1", "recall", "precision")
_MOST_CLASSES = 20


def data_url(figure: Json) -> str:
    """A figure as an address that holds it whole, so that showing it fetches nothing."""
    return "data:application/json;base64," + b64encode(json.dumps(figure).encode()).decode()


def curves(points: list[tuple[float, dict[str, float]]], title: str) -> Json | None:
    """The figures that a job reported on its way; None until a figure has two points.

    Args:
        points: share done, from 0 to 1, and the figures at that point.
        title: what the job is.
    """
    names = [n for n in dict.fromkeys(n for _, m in points for n in m) if n not in _NO_CURVES]
    series = {n: [(share, m[n]) for share, m in points if n in m] for n in names}
    shown = [n for n in names if len(series[n]) > 1][:CURVES_SHOWN]
    if not shown:
        return None
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name.replace("_", " "),
            "x": [round(share * 100, 2) for share, _ in series[name]],
            "y": [value for _, value in series[name]],
            "yaxis": "y2" if _is_share(name) else "y",
            "line": {"color": _COLOURS[n % len(_COLOURS)], "width": 2},
            "marker": {"size": 4},
        }
        for n, name in enumerate(shown)
    ]
    layout = _layout(title, 300)
    layout["xaxis"] |= {"title": {"text": "% done"}}
    layout["yaxis2"] = {**_axis(), "overlaying": "y", "side": "right", "range": [0, 1]}
    return {"data": data, "layout": layout, "config": _CONFIG}


def _is_share(name: str) -> bool:
    return any(part in name for part in _SHARES)


def confusion(labels: list[str], counts: list[list[int]], title: str) -> Json:
    """A confusion matrix: rows are true classes, columns predicted ones."""
    few = len(labels) <= 20
    layout = _layout(title, 420 if few else 560)
    layout["xaxis"] |= {"title": {"text": "predicted"}, "type": "category", "tickangle": -40}
    layout["yaxis"] |= {
        "title": {"text": "true"},
        "type": "category",
        "autorange": "reversed",
        "automargin": True,
    }
    heat = {
        "type": "heatmap",
        "x": [_text(label) for label in labels],
        "y": [_text(label) for label in labels],
        "z": counts,
        "colorscale": [[0, "rgba(27,142,163,0.06)"], [1, "#1b8ea3"]],
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{z} rows<extra></extra>",
        "showscale": not few,
        **({"text": counts, "texttemplate": "%{text}"} if few else {}),
    }
    return {"data": [heat], "layout": layout, "config": _CONFIG}


def interval(result: Json) -> Json:
    """The difference of two models with its 95 % interval, against zero."""
    first = f"{result['model']} v{result['version']}"
    other = f"{result['other_model']} v{result['other_version']}"
    ends = (result["difference_low"], result["difference"], result["difference_high"])
    return _intervals("Difference in accuracy, points, 95 % interval", {f"{first} − {other}": ends})


def ab_interval(result: Json) -> Json:
    """What an A/B test says of the challenger, and of each guardrail, against no difference."""
    arms = f"v{result['challenger']['version']} − v{result['control']['version']}"
    told = {f"successes, {arms}": (result["low"], result["effect"], result["high"])}
    for guard in result.get("guardrails") or []:
        if abs(guard["high"]) <= 1:  # a share, as the effect is
            told[str(guard["name"])] = (guard["low"], guard["effect"], guard["high"])
    level = f"{100 * float(result['level']):.0f}"
    return _intervals(f"Difference in share, points, {level} % interval", told)


def _intervals(title: str, told: dict[str, tuple[float, float, float]]) -> Json:
    """Intervals of shares (low end, estimate, high end), in points, against zero."""
    layout = _layout(title, 150 + 50 * len(told))
    layout["xaxis"] |= {"zeroline": True, "zerolinecolor": _COLOURS[1], "zerolinewidth": 2}
    layout["yaxis"] |= {"automargin": True, "autorange": "reversed"}
    points = [tuple(100 * float(end) for end in ends) for ends in told.values()]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [middle for _, middle, _ in points],
        "y": [_text(name) for name in told],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - middle for _, middle, high in points],
            "arrayminus": [middle - low for low, middle, _ in points],
            "thickness": 2.5,
            "width": 8,
        },
        "marker": {"size": 11, "color": _COLOURS[0]},
    }
    return {"data": [dots], "layout": layout, "config": _CONFIG}


def variants(result: Json) -> Json | None:
    """Accuracy lost against cost for each variant of a model; None until two were measured."""
    measured = [
        v
        for v in result["variants"]
        if v.get("loss_points") is not None and v.get("cost_ratio") is not None
    ]
    if len(measured) < 2:
        return None
    layout = _layout("Variants: points of accuracy lost against latency × memory", 320)
    layout["xaxis"] |= {"title": {"text": "% of the parent's latency × memory"}}
    layout["yaxis"] |= {"title": {"text": "points lost"}, "autorange": "reversed"}
    dots = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [100 * v["cost_ratio"] for v in measured],
        "y": [v["loss_points"] for v in measured],
        "text": [_text(v["variant"]) for v in measured],
        "textposition": "top center",
        "marker": {
            "size": 11,
            "color": [_COLOURS[2] if v.get("proven") else _COLOURS[1] for v in measured],
        },
    }
    return {"data": [dots], "layout": layout, "config": _CONFIG}


def trade_off(trials: list[Json], best: int) -> Json:
    """What each setting of a tuning took and reached."""
    done = [t for t in trials if t.get("value") is not None]
    layout = _layout("Trials: accuracy on the validation split against time", 300)
    layout["xaxis"] |= {"title": {"text": "seconds"}}
    layout["yaxis"] |= {"title": {"text": "accuracy"}}
    dots = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [t["seconds"] for t in done],
        "y": [t["value"] for t in done],
        "text": [f"trial {t['number']}" for t in done],
        "textposition": "top center",
        "marker": {
            "size": [14 if t["number"] == best else 9 for t in done],
            "color": [_COLOURS[2] if t["number"] == best else _COLOURS[0] for t in done],
        },
    }
    return {"data": [dots], "layout": layout, "config": _CONFIG}


def devices(outcomes: list[Json], title: str) -> Json:
    """How many devices of a rollout confirmed, still wait, or were not touched."""
    confirmed = sum(bool(d.get("touched") and d.get("confirmed")) for d in outcomes)
    touched = sum(bool(d.get("touched")) for d in outcomes)
    parts = (
        ("confirmed by their own report", confirmed, _COLOURS[2]),
        ("told, not confirmed", touched - confirmed, _COLOURS[1]),
        ("not part of it", len(outcomes) - touched, _INK),
    )
    layout = _layout(title, 200)
    layout["barmode"] = "stack"
    layout["xaxis"] |= {"title": {"text": "devices"}, "dtick": max(1, len(outcomes) // 10)}
    layout["yaxis"] |= {"showticklabels": False}
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": [count],
            "y": ["devices"],
            "marker": {"color": colour},
        }
        for name, count, colour in parts
        if count
    ]
    return {"data": bars, "layout": layout, "config": _CONFIG}


def amounts(figures: list[Json], title: str) -> Json | None:
    """Money in a report's figures, as bars; None if there is none."""
    money = [f for f in figures if f.get("unit") in ("EUR", "USD", "GBP", "CHF") and f["value"]]
    if len(money) < 2:
        return None
    layout = _layout(f"{title}, {money[0]['unit']}", 120 + 34 * len(money))
    layout["yaxis"] |= {"automargin": True, "autorange": "reversed"}
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [f["value"] for f in money],
        "y": [f["label"] for f in money],
        "text": [f["shown"] for f in money],
        "marker": {"color": _COLOURS[0]},
    }
    return {"data": [bars], "layout": layout, "config": _CONFIG}


def class_balance(dataset: Json) -> Json | None:
    """The rows of each class of a dataset, the largest first; None where rows have no class."""
    counts: dict[str, int] = dataset["profile"].get("classes") or {}
    if len(counts) < 2:
        return None
    shown = [*counts.items()][:_MOST_CLASSES]
    if more := len(counts) - len(shown):
        shown.append((f"{more} more", sum([*counts.values()][_MOST_CLASSES:])))
    title = f"{dataset.get('name')} version {dataset.get('version')}: rows of each class"
    layout = _layout(title, 120 + 24 * len(shown))
    layout["yaxis"] |= {"automargin": True, "autorange": "reversed"}
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [rows for _, rows in shown],
        "y": [_text(name) for name, _ in shown],
        "text": [str(rows) for _, rows in shown],
        "marker": {"color": _COLOURS[0]},
    }
    return {"data": [bars], "layout": layout, "config": _CONFIG}


def of_result(operation: str, result: Json) -> tuple[str, Json] | None:
    """The figure that goes with a result, and its name; None if none does."""
    if result.get("confusion") and result.get("labels"):
        title = f"{result.get('model')} on {result.get('dataset')}, {result.get('rows')} rows"
        return "confusion", confusion(result["labels"], result["confusion"], title)
    if "difference_low" in result and "other_model" in result:
        return "interval", interval(result)
    if {"effect", "low", "high", "level", "control", "challenger"} <= result.keys():
        return "interval", ab_interval(result)
    if result.get("variants") and isinstance(result["variants"][0], dict):
        drawn = variants(result)
        return ("variants", drawn) if drawn else None
    if result.get("trials") and "best_trial" in result:
        return "trials", trade_off(result["trials"], result["best_trial"])
    if operation.startswith("deployment.") and result.get("devices"):
        title = f"Rollout {result.get('rollout')}: {result.get('model')} v{result.get('version')}"
        return "rollout", devices(result["devices"], title)
    if operation.startswith("datasets.") and isinstance(result.get("profile"), dict):
        drawn = class_balance(result)
        return ("classes", drawn) if drawn else None
    drawn = amounts(result.get("figures") or [], "Cost") if "figures" in result else None
    return ("cost", drawn) if drawn else None


def _text(given: object) -> str:
    """Text in a figure, in which Plotly would take tags for formatting and links."""
    return str(given).replace("&", "&amp;").replace("<", "&lt;")


def _axis() -> Json:
    return {"gridcolor": "rgba(138,147,163,0.25)", "zeroline": False, "color": _INK}


def _layout(title: str, height: int) -> Json:
    return {
        "title": {"text": _text(title), "font": {"size": 14}},
        "height": height,
        "margin": {"l": 56, "r": 48, "t": 44, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "family": "system-ui, sans-serif", "size": 12},
        "legend": {"orientation": "h", "y": -0.28},
        "xaxis": _axis(),
        "yaxis": _axis(),
    }


_CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}
