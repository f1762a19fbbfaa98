"""How a path is spelt. The original platform reads API paths without regard to case."""


def canonical_path(path: str) -> str:
    """Return an API path in lower case, with one slash where some SDKs join with two."""
    if path[:5].lower() != "/api/":
        return path
    path = path.lower()
    return "/api/" + path[6:] if path[5:6] == "/" else path
