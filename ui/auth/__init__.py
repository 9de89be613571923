"""Who gets in. Every door asks this package who somebody is, and nothing else.

`identify(connection)` turns a request or a WebSocket into a `RequestContext`, by a bearer token or
a session cookie; `Caller` is the same as a FastAPI parameter. A door that has headers only
(Chainlit) calls `gatekeeper.from_headers`, one that has a token only (MCP)
`gatekeeper.verify_token`, and one that keeps a connection open `gatekeeper.require_standing` now
and then, because a session may end or a token be taken back meanwhile.

`gatekeeper.py` knows the credentials, `shield.py` stands in front of every door (hosts, origins,
sizes, rates, headers), `login.py` and `oidc.py` are the ways to sign in.
"""

from ui.auth.gatekeeper import Caller, Gatekeeper, identify

__all__ = ["Caller", "Gatekeeper", "identify"]
