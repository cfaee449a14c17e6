"""Rule set schema: the parts of the YAML file, each as it is written and as it is compiled.

parts         strict mappings, rule ids, terms, scores
scope         for which tenants, campaigns and models a rule holds
prompts       rules about words and personal data, and exceptions
meaning       rules about what a prompt means
images        rules about scores of pictures, and second opinions
classifiers   classifiers that a rule set bundles
regeneration  which pictures are sampled again
labels        where a visible label is demanded
review        who may release a held picture
consent       of which inputs a stated consent is demanded
lock          whether a strictly locked product may leave without a watermark
"""
