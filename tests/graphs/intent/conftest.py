"""Two small sets of sentences, and a router that was trained once for all tests."""

from __future__ import annotations

import pytest

from graphs.understanding.intent import Example, IntentRouter

SENTENCES = {
    "play_music": [
        "play some jazz",
        "put on my running playlist",
        "I want to hear the new album",
        "start the song again",
        "turn on some quiet piano music",
    ],
    "get_weather": [
        "will it rain tomorrow",
        "how cold is it outside",
        "what's the forecast for Oslo",
        "is it going to snow this weekend",
        "do I need an umbrella today",
    ],
    "set_alarm": [
        "wake me at seven",
        "set an alarm for six thirty",
        "I need to get up at five tomorrow",
        "alarm at noon please",
        "remind me to wake up early on Monday",
    ],
}


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    return [Example(text, label) for label, texts in SENTENCES.items() for text in texts]


@pytest.fixture(scope="session")
def router(examples: list[Example]) -> IntentRouter:
    return IntentRouter.train(examples, steps=0, threads=1)
