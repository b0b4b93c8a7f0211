{% include cookiecutter.kind ~ "/test_connector.py" -%}
