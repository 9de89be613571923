"""What the platform can do. Knows no language model, no MCP and no web."""
