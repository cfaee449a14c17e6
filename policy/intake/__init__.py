"""Pictures from strangers: headers (sizes without decoding), child (the process that decodes), picture (the way in).

Light: numpy here, Pillow in the child only, so that any process may import it.
"""
