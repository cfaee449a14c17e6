"""Middleware: what surrounds every request, from the outside in; CORS is there if a setting turns it on.

context        an id, one log line, one measurement, headers that every answer carries, HEAD as GET without its body
correlation    ids and traces that callers send along
cors           which scripts of other origins may call; a preflight that is refused is a problem too
failures       an error nobody expected becomes a problem, logged under the id of the request
compression    gzip for large JSON
conditional    ETag and If-None-Match
methods        OPTIONS, and every method of an address
ranges         files are sent whole
"""
