"""Traces: what became of a request, from its submission to its webhook, in the form of OpenTelemetry.

spans   what is recorded, and in which trace; nothing where no collector is named
otlp    sends spans to the collector, as OTLP over HTTP in JSON
"""
