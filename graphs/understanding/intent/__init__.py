"""A router that anyone can train: labelled sentences in, intents with abstention out."""

from graphs.understanding.intent.examples import Example, read_examples, read_texts
from graphs.understanding.intent.intent_router import IntentRouter, Prediction

__all__ = ["Example", "IntentRouter", "Prediction", "read_examples", "read_texts"]
