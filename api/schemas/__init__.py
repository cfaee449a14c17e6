"""Schemas of the HTTP API: what is sent and what is answered, one module a resource, named as in routes/.

requests    requests and campaigns as they are sent
submission  the reply to a submission
replies     requests, items, assets, models, keys
reviews     held images and decisions
recalls     recalls
identify    identification of pictures
webhooks    webhooks
privacy     erasures and legal holds
audit       questions and evidence
"""
