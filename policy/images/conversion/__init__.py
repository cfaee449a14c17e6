"""From nsfwjs to ONNX: package (the npm archive), onnx_graph (which grows), layers and operations (kinds of model)."""
