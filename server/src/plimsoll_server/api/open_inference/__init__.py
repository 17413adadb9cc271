"""The Open Inference Protocol, version 2, over HTTP: texts or token ids in as tensors, tensors out."""
