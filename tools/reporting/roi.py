"""Return on investment: measured counts and costs, and two assumptions that are shown as such."""

from __future__ import annotations

from tools.kernel.settings import Settings
from tools.reporting.compute import lasting
from tools.reporting.figures import Sheet, literal, money
from tools.reporting.records import Records

Section = tuple[str, list[str]]


def add_figures(
    sheet: Sheet, records: Records, settings: Settings, minutes: float, person_rate: float
) -> None:
    """The figures of the calculation, on top of the computed ones."""
    counted = [f"receipt {r.name}" for r in lasting(records)]
    sheet.count("lasting", "acts carried out and not undone", counted, "receipts done, not undone")
    currency = settings.currency
    said = ["assumption minutes_saved_per_act"]
    label = "minutes that an act saves (assumption)"
    sheet.add("minutes", label, minutes, "minutes", said, "argument", f"{minutes:g} minutes")
    paid = ["assumption person_hourly_rate"]
    told = "an hour of a person's work (assumption)"
    sheet.add("person", told, person_rate, currency, paid, "argument", money(person_rate, currency))
    hours = len(counted) * minutes / 60
    source = [*counted, *said]
    sheet.add(
        "hours", "hours saved", hours, "hours", source, "acts × minutes", f"{hours:.2f} hours"
    )
    saved = hours * person_rate
    source = [*counted, *said, *paid]
    how = "acts × minutes / 60 × person_hourly_rate"
    sheet.add(
        "saved", "worth of the time saved", saved, currency, source, how, money(saved, currency)
    )
    spent = sheet.figure("cost")
    net = saved - spent.value
    source = [*source, *spent.source]
    sheet.add(
        "net",
        "worth of the time saved less the cost of compute",
        net,
        currency,
        source,
        "saved − cost",
        money(net, currency),
    )
    if spent.value:
        ratio = net / spent.value
        sheet.add(
            "ratio",
            "return on the cost of compute",
            ratio,
            "times",
            source,
            "(saved − cost) / cost",
            f"{ratio:.1f} times",
        )


def write(sheet: Sheet, settings: Settings) -> list[Section]:
    """The sections of the report."""
    text = sheet.text
    measured = [text("{lasting:act} carried out and not undone since.")]
    if sheet.has("compute_seconds"):
        line = "Ended jobs computed for {compute_seconds}, which cost {cost} at {rate} an hour."
        measured.append(text(line))
    else:
        measured.append("No compute was used.")
    assumed = [
        text("One act saves {minutes} of a person's work."),
        text("An hour of a person's work costs {person}."),
        "Both are assumptions, not measurements: give `minutes_saved_per_act` and "
        "`person_hourly_rate` to change them.",
    ]
    result = [text("Time saved: {hours}, worth {saved}; less the cost of compute: {net}.")]
    if sheet.has("ratio"):
        result.append(text("That is {ratio} the cost of compute."))
    left_out = [
        "People's time for setting up and deciding, hardware, and the worth of better models are "
        f"not recorded and not counted. Amounts are in {literal(settings.currency)}."
    ]
    return [
        ("Measured", measured),
        ("Assumed", assumed),
        ("Result", result),
        ("Left out", left_out),
    ]
