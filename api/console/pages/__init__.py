"""Pages of the console, one module a subject.

entrance     sign in and out, links that sign in once, language and theme
openid       sign in at an identity provider
start        what the key may do
campaigns    the list, one of them, and what can be done to it
catalogues   the list, one with its plans and runs, a plan as a difference
submission   a new campaign: checked first, then submitted
review       held pictures, by keyboard
sheets       contact sheet, and acceptance of a pilot
assets       one picture: files, where it comes from, what vouches for it
identify     whether a picture was made here
masks        which part of a picture is the product, painted by hand
registers    usage, models, inputs, audit
settings     keys, webhooks, targets, recalls and legal holds of the tenant
"""
