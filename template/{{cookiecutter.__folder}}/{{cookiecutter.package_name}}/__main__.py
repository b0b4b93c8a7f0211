"""Runs the connector until it is told to stop."""

from sesam_connector_sdk import serve

from .sink import NotesSink

if __name__ == "__main__":
    serve(NotesSink)
