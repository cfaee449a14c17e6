"""Edge of the HTTP API: what surrounds every request.

dependencies  what every route is given: settings, engines, stores
limits/       how often, how many at once, how long; callers without a key
live/         events as they happen: the feed of the process, the stream of a listener
in_turn       routes whose work waits for one of its caller's turns
middleware/   around every request: ids, log line, measurement, failures, gzip, ETag, OPTIONS
auth          API keys and scopes
bodies        request bodies within limits of bytes and time
multipart     bodies with a file
uploads/      bodies that hold pictures
urls          text in a URL that no route can mean
validation    pydantic's findings as complaint codes
errors        the table from errors to problems
problems      problem details (RFC 9457) and every problem code
idempotency   `Idempotency-Key`: a repeated call gets the first reply
sealing       encryption of secrets in stored replies
paging        opaque keyset cursors
probes        whether the services answer
docs_page     Swagger UI without a network
startup       rule set and cards, registered before the first request
"""
