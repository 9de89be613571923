"""What runs on a device: fetch, verify, stage, warm up, swap, serve, report.

Imports nothing of the platform's other packages; needs numpy, onnxruntime, tokenizers and
cryptography. `python -m edge --help` says how to start it.
"""

AGENT_VERSION = "0.1.0"
