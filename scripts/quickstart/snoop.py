"""What a curious tenant might write: look everywhere for somebody else's file."""

import os


def main(variables: dict) -> dict:
    name = variables["name"]
    found = []
    for folder, _, files in os.walk("/"):
        if not folder.startswith(("/proc", "/sys")) and name in files:
            found.append(os.path.join(folder, name))
    return {"found": found, "processes": [entry for entry in os.listdir("/proc") if entry.isdigit()]}
