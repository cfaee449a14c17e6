"""HTTP API: checks strictly, stores at once, and loads no model library.

app           the application: routes, middleware and error handlers put together
routes/       the addresses, one module a resource
schemas/      what is sent and answered, one module a resource
submission/   how a request becomes rows
catalogues/   from a feed to a plan, from a plan to a request
results/      what became of a request, as files
openai/       the same for clients of the OpenAI API
edge/         what surrounds every request: authentication, limits, errors, idempotency
templates     prompt templates: `{column}` and nothing else
console/      pages for a browser, made of calls of the API
server/       below the application: connections, deadlines, what cannot be read
openapi       the OpenAPI document
capabilities  what the installed models can do, as JSON Schema
"""
