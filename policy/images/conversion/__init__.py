"""Conversion of nsfwjs models to ONNX.

package     reads the npm archive
onnx_graph  builds the ONNX graph node by node
layers      converts a Keras layers model
operations  converts a TensorFlow graph model
"""
