"""Which of this machine's files a caller may have read: what the platform can read is not theirs.

The owner names any file; an admin of the default tenant any outside the home. Everybody else names
files that their tenant uploaded, or files of the folders that the setting `data_folders` opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import PolicyDenied
from tools.kernel.identity import Role
from tools.kernel.paths import absolute
from tools.kernel.principals import DEFAULT_TENANT, OWNER

if TYPE_CHECKING:
    from tools.kernel.identity import RequestContext
    from tools.kernel.settings import Settings

UPLOADS = "uploads"


def require_readable(path: str | Path, context: RequestContext, settings: Settings) -> None:
    """Let a caller have a file or folder of this machine read.

    Raises:
        InvalidInput: if it can be no path.
        PolicyDenied: if it is none of theirs; says the same whether it exists or not.
    """
    ours = context.tenant == DEFAULT_TENANT
    if ours and context.principal.name == OWNER:
        return
    allowed = [settings.home / UPLOADS / context.tenant]
    if ours:
        allowed += settings.data_folders
    real = absolute(str(path)).resolve()
    admin = ours and Role.ADMIN in context.principal.roles
    if admin and not real.is_relative_to(settings.home):  # which holds keys, and others' uploads
        return
    if any(real.is_relative_to(folder.resolve()) for folder in allowed):
        return
    raise PolicyDenied(
        f"{context.principal.name} may not have files of the server read.",
        hint="Upload the file in the chat, or ask the owner to name its folder in"
        " PILOTHOUSE_DATA_FOLDERS.",
    )
