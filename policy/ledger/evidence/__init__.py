"""Evidence packs for auditors.

selection         which leaves a pack holds, and the events that those depend on
pack              writes the ZIP file with events, proofs, documents and the verifier
offline_verifier  the single file that checks a pack without network, database or our code
"""
