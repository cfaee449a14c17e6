"""The clerk process: carries out what people ordered, and delivers webhooks. One module a duty."""
