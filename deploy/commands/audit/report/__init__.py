"""`presswork audit report`: a readable report about an asset, a campaign or a period.

command  report
html     a report as one HTML file that prints well
pdf      the same as PDF
"""
