"""Making a trained model smaller or faster, and proving what that costs.

A variant is a folder, whatever runs it. Other domains (deployment, the edge) read only this:

    variant.json       what the variant is; the fields below
    labels.json        the labels in the order of the outputs          (classifiers)
    config.json        sizes, and a classifier's labels as `id2label`  (both)
    classifier.json    `max_length`, as in a trained classifier        (classifiers)
    embedding.json     `max_length`, as in a trained embedding         (embeddings)
    tokenizer.json     the tokenizer                                   (both)
    model.onnx         runtime `onnx`
    model.xml, .bin    runtime `openvino`; `entry` is model.xml
    model.pte          runtime `executorch`
    model.gguf         runtime `llamacpp`; adapter.gguf beside it where the adapter is kept apart
    head.safetensors, model.safetensors    runtime `torch`: a trained classifier as any other, or
                       a trained embedding, which has model.onnx too but no head

Fields of variant.json:

    format        1
    variant       the target, such as `onnx-int8`; see `targets.TARGETS`
    kind          `classifier`, `embedding` or `language-model`
    runtime       `onnx`, `openvino`, `executorch`, `llamacpp` or `torch`
    entry         the file that the runtime opens
    files         name → {sha256, size} of every other file of the folder
    inputs        [{name, dtype, shape}]; a name in a shape stands for any length. An executorch
                  program takes them in this order, one text at a time (`[1, "sequence"]`)
    outputs       the same; the first is the answer: `logits`, or `sentence_embedding` of length 1
    labels        the label map: place of the output → label
    max_length    tokens after which a text is cut
    size_bytes    of the files that the runtime opens
    memory_mb     measured: what loading and running it adds to a process at its peak
    metric        {name, value, parent, loss_points, low, high, rows}: measured on held-out rows;
                  the name is `accuracy`, `token_f1` for a language model's answers, `recall_at_1`
                  for what an embedding finds; `low` and `high` are the ends of the loss's 95 %
                  interval, paired by row (Tango's; an embedding's is widened to a bootstrap's)
    parent        {model, version, content_sha256}

A folder is written whole (staged, then renamed); `manifest.read` refuses one that is not.
"""
