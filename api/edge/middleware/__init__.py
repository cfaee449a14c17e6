"""Middleware: what surrounds every request, from the outside in; Starlette's CORS stands before `failures` if it is on.

context        an id, one log line, one measurement, headers that every answer carries, HEAD as GET without its body
correlation    ids and traces that callers send along
failures       an error nobody expected becomes a problem, logged under the id of the request
compression    gzip for large JSON
conditional    ETag and If-None-Match
methods        OPTIONS, and every method of an address
"""
