"""Put the SDK's wheel into wheels/ while no index has it, and say what comes next."""

import json
import subprocess
import sys
from pathlib import Path


def build_sdk(repository: Path) -> bool:
    """Build the wheel if the repository is the SDK's; say whether there is one now."""
    project = repository / "pyproject.toml"
    if not project.is_file() or 'name = "sesam-connector-sdk"' not in project.read_text("utf-8"):
        return False
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "wheels"]
    return subprocess.run([*pip, str(repository)], check=False).returncode == 0


if __name__ == "__main__":
    answers = json.loads(r'{{ cookiecutter|tojson }}')
    if not build_sdk(Path(json.loads(r'{{ template_folder|tojson }}')).parent):
        print("The SDK's wheel is missing: wheels/README.md says how to get it.", file=sys.stderr)
    print(f"""
Next, in {Path.cwd().name}:
  make test      sets up and runs the tests
  make image     builds {answers["docker_image"]}
README.md says how to run it, and what to do on your Sesam node: push the image, upload systems/
and pipes/, set the variables and secrets that the system names. Write yours into {answers["kind"]}.py.""")
