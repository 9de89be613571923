"""`models fetch`, `models serve`: the pinned model assets, and a language model on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(
        help="Fetch and serve models.", rich_markup_mode=None, no_args_is_help=True
    )
    models.callback()(assets)
    models.command("fetch")(fetch)
    models.command("serve")(serve)
    app.add_typer(models, name="models")


def assets() -> None:
    """Fetch and serve models."""


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Assets, or hub ids such as org/model; the assets that are needed when left out."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The optional ones too.")] = False,
    as_json: AsJson = False,
) -> int:
    """Fetch what is missing, each file of an asset checked by SHA-256."""
    from tools.kernel.assets import manifest
    from tools.kernel.fetching import fetch as bring
    from tools.training import hub
    from ui.console import note, print_json

    ids = [name for name in names or () if hub.is_id(name)]
    wanted = list(manifest().assets) if everything else [n for n in names or () if n not in ids]
    found = bring(wanted or None, report=note) if wanted or not ids else []
    places = {name: hub.fetch(name) for name in ids}
    if as_json:
        print_json(
            [
                {"name": a.name, "path": str(a.path), "bytes": a.size, "sources": list(a.sources)}
                for a in found
            ]
            + [
                {"name": name, "path": str(path), "sources": ["hub"]}
                for name, path in places.items()
            ]
        )
    else:
        for name, path in places.items():
            print(f"{name}: in {path}")
        for asset in found:
            came = f"from {', '.join(asset.sources)}" if asset.sources else "was here already"
            print(f"{asset.name}: {asset.size / 1e6:.1f} MB in {asset.path} ({came})")
    return 0


def serve(
    model: Annotated[str, typer.Argument(help="A GGUF file, or a model asset: smollm2.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Compute threads.")] = 1,
    context: Annotated[
        int, typer.Option(min=512, max=1_048_576, help="Tokens of prompt and answer together.")
    ] = 8192,
) -> int:
    """Serve a language model on this machine with llama.cpp, until Ctrl-C."""
    from agents.llama_server import gguf
    from agents.llama_server import serve as serve_file
    from ui.console import note

    path = gguf(model)
    note(f"Serving {path.name}. To plan with it, set PILOTHOUSE_MODEL={path.stem} and")
    note("PILOTHOUSE_MODEL_URL to the address below, then restart the platform.")
    serve_file(path, port, threads, context)
    return 0
