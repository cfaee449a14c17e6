"""Edge of the HTTP API: what surrounds every request.

dependencies  what every route is given: settings, engines, stores
middleware/   around every request: ids, log line, measurement, failures, gzip, ETag, OPTIONS
auth          API keys and scopes
anonymous     callers without a key: the public detector
client_address  who calls, behind the proxies that a setting names
rate_limit    requests a minute, fair shares of anonymous callers, RateLimit fields
counters      request counters in Redis, in memory while it is away
bodies        request bodies within limits of bytes and time
urls          text in a URL that no route can mean
validation    pydantic's findings as complaint codes
errors        the table from errors to problems
problems      problem details (RFC 9457) and every problem code
idempotency   `Idempotency-Key`: a repeated call gets the first reply
sealing       encryption of secrets in stored replies
places        how much of what takes long a tenant may have at once
waiting       replies that are held back until a row changes
paging        opaque keyset cursors
probes        whether the services answer
docs_page     Swagger UI without a network
startup       rule set and cards, registered before the first request
"""
