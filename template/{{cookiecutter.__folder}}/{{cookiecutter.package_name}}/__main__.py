"""Runs the connector until it is told to stop."""

from sesam_connector_sdk import serve

from .{{ cookiecutter.kind }} import Notes{{ cookiecutter.kind|capitalize }}

if __name__ == "__main__":
    serve(Notes{{ cookiecutter.kind|capitalize }})
