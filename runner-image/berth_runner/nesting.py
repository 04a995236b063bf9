"""How deep JSON is nested, found without recursion: what is too deep breaks recursive code behind this one."""

MAX_DEPTH = 100


def is_deeper(value: object, most: int) -> bool:
    """Return whether containers are nested more than `most` levels."""
    level = [value]
    for _ in range(most + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return False
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    return True
