"""Personal data and secrets in texts: what looks like it is counted, never shown.

A warning, not a proof: names and addresses are not looked for, and what is found may be invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools.datasets.problems import listed

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.,-])\+?\(?\d[\d() /.-]{7,17}\d(?![\w-])")
_CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_KEY = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36,}|\bsk-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"
)
_PLACEHOLDERS = ("example.com", "example.org", "example.net", ".example", ".test", ".invalid")


def found(texts: Sequence[str]) -> dict[str, list[int]]:
    """Which texts hold each kind: e-mail addresses, phone and card numbers, IBANs, keys.

    Returns:
        The positions of the texts by kind, the commonest kind first.
    """
    positions: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        for kind in sorted(kinds_in(text)):
            positions.setdefault(kind, []).append(position)
    return dict(sorted(positions.items(), key=lambda kind: -len(kind[1])))


def kinds_in(text: str) -> set[str]:
    """The kinds of personal data in one text."""
    kinds: set[str] = set()
    if "@" in text and any(not _placeholder(m) for m in _EMAIL.findall(text)):
        kinds.add("e-mail addresses")
    if _KEY.search(text):
        kinds.add("keys or tokens")
    if any(is_iban(m) for m in _IBAN.findall(text)):
        kinds.add("IBANs")
    cards = [m for m in _CARD.findall(text) if is_card(m)]
    if cards:
        kinds.add("card numbers")
    if any(_is_phone(m) and m not in cards for m in _PHONE.findall(text)):
        kinds.add("phone numbers")
    return kinds


def warnings(places: Mapping[str, Sequence[str]]) -> list[str]:
    """The warning that goes with what was found, with some of the places; none if nothing was."""
    if not places:
        return []
    shown = ", ".join(
        f"{kind} in {len(at)} row{'s' * (len(at) > 1)} ({listed(at)})"
        for kind, at in places.items()
    )
    return [f"Personal data: {shown}. Make sure that it may be trained on, or take it out first."]


def is_card(number: str) -> bool:
    """True for 13 to 19 digits with Luhn's check digit (ISO/IEC 7812-1)."""
    digits = [int(c) for c in number if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """True for an IBAN whose remainder by 97 is 1 (ISO 13616)."""
    plain = text.replace(" ", "")
    while len(plain) >= 15:
        moved = plain[4:] + plain[:4]
        if len(plain) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:
            return True
        plain = plain[:-1]  # a word in capitals may follow it
    return False


def _placeholder(address: str) -> bool:
    return address.casefold().rstrip(".").endswith(_PLACEHOLDERS)


def _is_phone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    date = re.fullmatch(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*", text)
    marked = text.startswith(("+", "0", "(")) or text.count("-") + text.count(" ") >= 2
    return 8 <= digits <= 15 and marked and date is None
