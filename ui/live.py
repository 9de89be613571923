"""The renderer for a terminal: the plan is one block that changes in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.cards import draw_result
from ui.render import MARKS, Renderer, StepView, headline

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

Json = dict[str, Any]


class LiveRenderer(Renderer):
    """Draws the plan as one block that changes in place."""

    def __init__(self, screen: Console, currency: str = "") -> None:
        super().__init__(screen, currency)
        self._live: Live | None = None
        self._head = ""
        self._later: list[tuple[str, Json]] = []

    def close(self) -> None:
        """Leave the block as it stands, and draw what was read below it."""
        if self._live is not None:
            live, self._live = self._live, None
            live.update(self._block(), refresh=True)
            live.stop()
        later, self._later = self._later, []
        for operation, result in later:
            draw_result(self.screen, operation, result)

    def _begin_plan(self, plan: Json) -> None:
        self._head = headline(plan)
        self._refresh()

    def _changed(self, view: StepView) -> None:
        self._refresh()

    def _moved(self, view: StepView) -> None:
        self._refresh()

    def _result(self, operation: str, result: Json) -> None:
        self._later.append((operation, result))

    def _refresh(self) -> None:
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self.screen, refresh_per_second=8, transient=False)
            self._live.start()
        self._live.update(self._block())

    def _block(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [Text(self._head, style="dim")] if self._head else []
        for view in self._steps.values():
            parts.extend(_drawn(view))
        return Group(*parts)


def _drawn(view: StepView) -> list[RenderableType]:
    from rich.columns import Columns
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    mark, style = MARKS.get(view.state, MARKS["waiting"])
    agent = f"  {view.agent}" if view.state == "running" else ""
    head = Text(f"  {mark} {view.number} {view.operation}{agent}  {view.about}", style=style)
    parts: list[RenderableType] = [head]
    if view.state == "running" and view.fraction is not None:
        bar = ProgressBar(total=1.0, completed=view.fraction, width=30)
        parts.append(Columns([Text("     "), bar, Text(f"{view.fraction:4.0%}  {view.progress}")]))
    for n, line in enumerate(view.lines):
        parts.append(Text(f"      {line}", style="" if n == 0 else "dim"))
    return parts
