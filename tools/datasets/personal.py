"""Personal data and secrets in texts: what looks like it is counted, never shown.

A warning, not a proof: names and addresses are not looked for, and what is found may be invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools.datasets.problems import listed

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.,-])\+?\(?\d[\d() /.-]{7,17}\d(?![\w-])")
_CARD = re.compile(
    r"(?<![\d.-])(?<!\d )[2-6]\d{3}(?:\d{9,15}|(?:[ -]\d{4}){3}|[ -]\d{6}[ -]\d{4,5})(?![\d-])"
)
"""Issuers' numbers begin with 2 to 6 and are written in one piece, by fours, or 4-6-5 (4-6-4)."""
_BETWEEN = re.compile(r"\)?[ ./-]\(?|\)|\(")
_PLAIN_PHONE = re.compile(r"(?:1[ .-])?\d{3}([ .-])\d{3}\1\d{4}")
"""Without a mark before it: 555-123-4567."""
_PERSON = re.compile(r"[a-z]{2,}[._][a-z]{2,}@", re.I)
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
    """True for an address at a name that is kept for examples, unless a person's stands before."""
    kept = address.casefold().rstrip(".").endswith(_PLACEHOLDERS)
    return kept and _PERSON.match(address) is None


def _is_phone(text: str) -> bool:
    """True for digits that are grouped as in a phone number, not as decimals, dates or rows."""
    digits = sum(c.isdigit() for c in text)
    if not 8 <= digits <= 15 or _is_date(text) or _has_year(text):
        return False
    if not text.startswith(("+", "0", "(")):
        return _PLAIN_PHONE.fullmatch(text) is not None
    groups = _BETWEEN.split(text.removeprefix("+").removeprefix("("))
    decimal = text.count(".") == 1
    first, rest = groups[0], [group for group in groups[1:] if group != "0"]
    shortest = 1 if text.startswith("+") else 2
    return not decimal and len(first) >= shortest and all(len(group) >= 2 for group in rest)


def _has_year(text: str) -> bool:
    """True for volumes and pages: `(1996) 329-359`, and for a bracket of which half is cut off."""
    whole = text.count("(") == text.count(")")
    return not whole or re.search(r"\((?:19|20)\d\d\)", text) is not None


def _is_date(text: str) -> bool:
    day = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*"
    return re.fullmatch(day, text) is not None
