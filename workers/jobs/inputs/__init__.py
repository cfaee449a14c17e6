"""Inputs: pictures that tenants send in, until their intake has settled. workers/jobs/privacy/inputs.py erases them.

received   a new input, or the one that these bytes already are        caller: api
intake     claimed, screened, settled                                  caller: identify
uses       which item is made from which input                         callers: submit, planner, claim, settle
sources    buckets of tenants that inputs and feeds are read from      callers: api, identify
views      what is read                                                caller: api
tables     the tables
"""
