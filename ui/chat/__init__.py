"""The chat at /chat: the assistant's events as a conversation in a browser; it decides nothing."""
