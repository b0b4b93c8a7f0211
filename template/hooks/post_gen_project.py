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
  make test                             sets up and runs the tests
  NOTES_FILE=notes.jsonl make run       listens on port 5000
  make image                            builds {answers["docker_image"]}
Then push the image, upload systems/ and pipes/ to your Sesam node, and set the variables and
secrets that the system names. README.md has the steps; write your target into sink.py.""")
