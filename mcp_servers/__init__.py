"""How tools are offered: one builder for every domain's MCP server, and the ways to reach one."""
