"""An S3 with IAM on this machine, which others wrote, with a role per berth that reaches its own prefix only."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.config import Config
from botocore.session import Session
from own_address import own_address
from runner_process import PATIENCE_SECONDS, ROOT

PROGRAM = ROOT / ".cache" / "aws-local" / "venv" / "bin" / "ministack"
BUCKET = "berths-test"
REGION = "eu-central-1"
_PORT = 4566


def why_not() -> str | None:
    """Return why this machine has no emulator, or None."""
    return None if _program() else "the AWS stand-in is not there: sh scripts/aws-local/setup.sh"


def _program() -> str | None:
    named = os.environ.get("BERTH_TEST_MINISTACK")
    return named or (str(PROGRAM) if PROGRAM.exists() else None)


class Emulator:
    """The emulator as its owner sees it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.s3 = self._client("s3")
        self._sts = self._client("sts")
        self._iam = self._client("iam")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def role(self, berth: str) -> dict[str, str]:
        """Make a berth's role; return the variables that Lambda gives a function with it."""
        trust = _policy(
            [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
        )
        arn = self._iam.create_role(RoleName=f"berth-{berth}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self._iam.put_role_policy(RoleName=f"berth-{berth}", PolicyName="own-prefix", PolicyDocument=_own_prefix(berth))
        found = self._sts.assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def put(self, key: str, content: bytes) -> None:
        """Put an object as the server would."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        """Return an object's content."""
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def uploads(self) -> list[Any]:
        """Return the uploads in parts that are neither complete nor aborted."""
        found: list[Any] = self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return found

    def _client(self, name: str) -> Any:
        settings = Config(region_name=REGION, s3={"addressing_style": "path"})
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return Session().create_client(name, endpoint_url=self.endpoint, config=settings, **keys)


def prefix_of(berth: str, run: str = "r1") -> dict[str, str]:
    """Return the prefix of a request."""
    own = f"berths/{berth}/"
    return {"kind": "s3", "bucket": BUCKET, "files": f"{own}files/", "run": f"{own}runs/{run}/"}


@contextmanager
def emulator(*, enforcing: bool = True) -> Iterator[Emulator]:
    """Start the emulator; without enforcing it lets every role do everything."""
    address = own_address()
    url = f"http://{address}:{_PORT}"
    program = _program()
    assert program is not None
    folder = tempfile.mkdtemp(prefix="berth-s3-")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "BIND_HOST": address,
        "GATEWAY_PORT": str(_PORT),
        "AUTH": str(enforcing).lower(),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [program], env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_until_healthy(url, process)
            yield Emulator(url)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(OSError), urllib.request.urlopen(f"{url}/_ministack/health", timeout=5):
            return
        assert process.poll() is None, "the emulator ended"
        assert time.monotonic() < deadline, "the emulator does not answer"
        time.sleep(0.05)


def _own_prefix(berth: str) -> str:
    """Word what templates/tenant.yaml lets a role do in S3."""
    own = f"berths/{berth}/"
    return _policy(
        [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{BUCKET}/{own}files/*",
            },
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
                "Resource": f"arn:aws:s3:::{BUCKET}/{own}runs/*",
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:aws:s3:::{BUCKET}",
                "Condition": {"StringLike": {"s3:prefix": f"{own}*"}},
            },
        ]
    )


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
