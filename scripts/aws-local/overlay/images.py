"""Images of functions must be in this account's ECR; a tag is resolved to its digest once, when the code is set."""

import re
from typing import Any

from ministack.services import ecr

from overlay.aws_errors import invalid
from overlay.switches import SWITCHES

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LISTS = ("manifest.list.v2+json", "image.index.v1+json")


def resolve(uri: str) -> str:
    """Return the URI with the digest, or refuse as Lambda does."""
    if not SWITCHES.is_on("images"):
        return uri
    match = _URI.fullmatch(uri)
    image = None if match is None else find(match)
    if match is None or image is None:
        message = f"Source image {uri} does not exist. Provide a valid source image."
        raise invalid(message)
    if str(image.get("imageManifestMediaType", "")).endswith(_LISTS):
        message = f"The image manifest, config or layer media type for the source image {uri} is not supported."
        raise invalid(message)
    registry = uri.split("/", 1)[0]
    return f"{registry}/{match['name']}@{image['imageDigest']}"


def find(match: re.Match[str]) -> dict[str, Any] | None:
    """Return the image that a URI names."""
    images = ecr._images.get_scoped(match["account"], match["region"], match["name"]) or []
    for image in images:
        if match["digest"] is not None:
            if image["imageDigest"] == match["digest"]:
                return dict(image)
        elif (match["tag"] or "latest") in image.get("imageTags", []):
            return dict(image)
    return None
