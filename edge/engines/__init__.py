"""What runs a model: one module a runtime behind two small interfaces, chosen by the manifest.

A runtime is imported when a bundle needs it; a device without it refuses the bundle and says so.
`tests/contracts/test_engines.py` is the contract.
"""
