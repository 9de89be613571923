"""Supervised fine-tuning of generative language models on prompts and answers, or on chats."""
