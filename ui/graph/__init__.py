"""GraphQL: reading what is connected, from a model to the devices that serve it.

Every field is read through the gate, as REST reads it, for the same tenant and under the same
policy. It only reads: acts go through REST, MCP or a conversation.
"""
