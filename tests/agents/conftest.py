"""Fixtures: a kernel over fake operations, with servers and a team."""

from tests.support.fake_platform import platform

__all__ = ["platform"]
