"""Five questions, five answers; everything an auditor reads.

May it be made?      prompts/ and images/ answer with a verdict, under the rules of rulesets/ (rules)
Whose is it?         marks/ writes and reads watermark, manifest and label
What happened?       events names it, ledger/ appends it in the caller's transaction
Is that the truth?   ledger/ seals, proves and verifies
What if?             simulate judges history again, under another rule set

verdict, errors, files and terms are the words they share. Imports nothing of ours.
"""
