"""Pictures of a submission: which task they ask for, whether they can be used, and what is drawn of them.

elsewhere  pictures that another tool made
tasks    the task, what it takes, and the size that fits its picture
known    inputs of the tenant, as they are now
consent  inputs that show people, and whether those agreed
archive  pictures that come with a campaign, in a ZIP
receiving  a picture on its way to the inbox
rows     what rows name of both
"""
