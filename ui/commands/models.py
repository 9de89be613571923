"""`models fetch`: the pinned model assets."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(help="Fetch model assets.", rich_markup_mode=None, no_args_is_help=True)
    models.callback()(assets)
    models.command("fetch")(fetch)
    app.add_typer(models, name="models")


def assets() -> None:
    """Fetch model assets."""


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Assets; all that are needed when left out.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The optional ones too.")] = False,
    as_json: AsJson = False,
) -> int:
    """Fetch what is missing, each file checked by SHA-256."""
    from tools.kernel.assets import fetch as bring
    from tools.kernel.assets import manifest
    from ui.console import note, print_json

    wanted = list(manifest().assets) if everything else names
    found = bring(wanted or None, report=note)
    if as_json:
        print_json(
            [
                {"name": a.name, "path": str(a.path), "bytes": a.size, "sources": list(a.sources)}
                for a in found
            ]
        )
    else:
        for asset in found:
            came = f"from {', '.join(asset.sources)}" if asset.sources else "was here already"
            print(f"{asset.name}: {asset.size / 1e6:.1f} MB in {asset.path} ({came})")
    return 0
