"""Cards of models, upscalers and adapters: what they are, allow and can do. Light: any process may import these.

registry  model cards, by name
extras    cards of upscalers and adapters
references  cards of networks that show a model a picture
mask_networks  the card of the network that finds products
standing  whether a tenant may use a model today
limits    what a model cannot do of the options of a request
contents  content hashes of the files that a card pins
"""
