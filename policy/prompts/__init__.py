"""Prompt screening: what may be sampled, decided before any picture exists.

screen          the verdict on one prompt by the rules about words   caller: workers, api, in the request
rewrite         replaces terms of rewrite rules, then screens         caller: api.submission
hits            which matches of which rules count, after exceptions
matcher         finds all terms of a rule set in one pass
quiet           shows that no rule about terms meets a text, from what is remembered of its words
weights         the words of a prompt in which brackets weigh them   caller: workers, api
personal        finds personal data by its shape and check digits
cases           tables of test prompts that ship with the rule set
parity          how often groups of people are stopped, on counterfactual prompts
evaluation      precision and recall of a rule set on such tables
normalisation/  the variants of a prompt that are matched: folded, decoded, de-obfuscated
meaning/        scorers of what a prompt means: sentence embeddings and moderation models
"""
