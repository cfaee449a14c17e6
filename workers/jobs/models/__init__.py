"""Decisions about models: who may use which revision, until when, and who said so.

decisions  approve and retire, and the decisions that stand
tables     the table
"""
