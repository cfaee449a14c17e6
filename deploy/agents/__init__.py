"""MCP server: tools with which an agent plans, sends and follows campaigns, within what its key may spend.

server    the tools, by what they read and what they change
planned   what was planned, by its digest, until it is sent or too old
people    what an agent never does, and where a person does it
"""
