"""The chat's one HTML page, and what a browser may load and run in it.

Chainlit's own page pulls fonts and styles from other hosts and has inline scripts; this one has
neither, so that the policy can forbid both.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

NAME = "Pilothouse"
ABOUT = "The room that machine-learning operations are steered from."
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Plotly and the component library set styles
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data:",  # plots and task lists come as data addresses
        "worker-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)
_SCRIPT = re.compile(r'<script type="module"[^>]*src="/assets/([\w.-]+\.js)"')
_STYLE = re.compile(r'<link rel="stylesheet"[^>]*href="/assets/([\w.-]+\.css)"')
_TEMPLATE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>{name}</title>
    <meta name="description" content="{about}" />
    <meta property="og:root_path" content="{root}" />
    <link rel="icon" href="{root}/favicon" />
    <script src="{root}/public/boot.js"></script>
    <script type="module" src="{root}/assets/{script}"></script>
    <link rel="stylesheet" href="{root}/assets/{style}" />
    <link rel="stylesheet" href="{root}/public/chat.css" />
    <script src="{root}/public/chat.js" defer></script>
  </head>
  <body>
    <div id="root"></div>
    <noscript>The chat needs JavaScript. The pages at / and the terminal do not.</noscript>
  </body>
</html>
"""


def page(root: str, build: Path) -> str:
    """The page.

    Args:
        root: the path at which the chat is mounted.
        build: the folder of Chainlit's built frontend.
    """
    built = (build / "index.html").read_text(encoding="utf-8")
    script, style = _SCRIPT.search(built), _STYLE.search(built)
    if script is None or style is None:
        raise RuntimeError(f"{build / 'index.html'} has another form than this page was made for")
    return _TEMPLATE.format(
        name=NAME, about=escape(ABOUT), root=root, script=script[1], style=style[1]
    )
