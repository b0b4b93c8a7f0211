{% include cookiecutter.kind ~ "/connector.py" -%}
