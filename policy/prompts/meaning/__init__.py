"""Meaning of prompts: scorers, and the rules over their scores. Heavy: for worker processes.

screen             asks every scorer about a batch and gives the verdicts; fails closed
scorer             the Protocol of a scorer
embedding          the shipped scorer: sentence embeddings and one logistic regression a rule
moderation_models  Llama Guard, Qwen3Guard and ShieldGemma as scorers
thresholds         the rules over stored scores; needs no scorer
"""
