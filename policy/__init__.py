"""Policy: everything an auditor reads. Imports nothing else of ours.

rules, rulebook/, rulesets/  what may be made, as a YAML file; terms is the language of a term
prompts/, images/            screening: a verdict on every prompt and every picture
intake/                      opens pictures from outside safely
marks/                       watermark, manifest and label of released pictures
identify/, fingerprints      whose picture is this
levels                       the highest and the lowest channel of a pixel
events/, ledger/             what happened, recorded so that edits are detected
simulate, still_public       history judged again under another rule set
verdict, errors, files, fence  a screening result; the exceptions; strict YAML; a time limit for third-party code
"""
