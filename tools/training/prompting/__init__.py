"""Finding the instruction and the worked examples with which a language model answers best."""
