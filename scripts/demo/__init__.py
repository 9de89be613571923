"""The demonstration: six sentences to a real platform with real devices, each checked."""
