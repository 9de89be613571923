"""A server over stdio for tests: fake operations, a real gate, and much that is printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp_servers.caller import LocalCaller
from mcp_servers.stdio import serve_stdio
from tests.support.fake_operations import World, fake_operations
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


class Chatty(LocalCaller):
    """Prints where only the protocol may speak."""

    async def call(self, *args, **more):
        print("a library prints this")
        os.write(1, b"and native code writes this\n")
        return await super().call(*args, **more)


def main() -> None:
    home, server = Path(sys.argv[1]), sys.argv[2]
    operations = fake_operations(World())
    kernel = Kernel(Settings.model_validate({"home": home}), operations)
    roles = frozenset(Role(r) for r in sys.argv[3:]) or frozenset(Role)
    owner = RequestContext(Principal("owner", roles), Channel.CLI)
    serve_stdio(server, Chatty(kernel.gate), lambda: owner, operations)
    kernel.stop()


if __name__ == "__main__":
    main()
