"""C2PA provenance: the signed manifest of a released file.

manifest      writes, reads and checks manifests
signing       the Signer protocol, keys in files, certificate checks
origin        what a person states of a picture that another tool made
carried       the manifest store that a file carries, as bytes
certificates  a development certificate chain
"""
