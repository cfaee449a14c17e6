"""`presswork audit report`: a readable report about an asset, a campaign or a period.

command  report
pdf      a report as PDF; as HTML, policy/ledger/reading/report_html.py
"""
