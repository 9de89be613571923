"""Fine-tuning a sentence encoder on texts that belong together, and apart."""
