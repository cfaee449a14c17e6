"""Middleware: what surrounds every request, from the outside in.

context        an id, one log line, one measurement, headers that every answer carries, HEAD as GET without its body
correlation    ids and traces that callers send along
(CORS)         Starlette's, where `cors_origins` names anybody
failures       an error nobody expected becomes a problem, logged under the id of the request
compression    gzip for large JSON
conditional    ETag and If-None-Match
methods        OPTIONS, and every method of an address
"""
