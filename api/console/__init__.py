"""Console: pages for a browser, made of calls of the API and of nothing else.

rooms        the routes of all pages, put onto the application
pages/       one module a subject: what is asked of the API, and which template shows it
visits       a signed-in request: its API key, its language, its calls of the API
sessions     who is signed in: cookie, row, end
openid       people and roles of an identity provider (OpenID Connect)
origins      changes come from our own pages only: origin and token
forwarding   calls that scripts of a page make, handed to the API with the session's key
rendering    templates, and the headers of a page
failing      errors as pages
sections     what stands in the navigation, and which scope it needs
wordings     texts in English and German
browser_files  scripts and styles, by digest
"""
