"""Below the application: connections, their deadlines, and the errors of a request that cannot be read.

serve        the uvicorn server on these settings; the process and the tests use the same
protocol     one HTTP/1.1 connection: strict parsing, deadlines, problem documents
connections  how many are open, and which idle one makes room for a new one
transport    a close that lets the peer read the answer first
"""
