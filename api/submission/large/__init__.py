"""Campaigns as a whole: what was sent becomes a checked request, at once, or in the background where the file is large.

whole     files and spec of a campaign as a checked request
received  a large file put into the store, and the check that is made next
checking  the check under a lease: the request with its items, or what is wrong
looks     what sets a check going, and the loop that looks for checks of dead processes
progress  how far a check is
"""
