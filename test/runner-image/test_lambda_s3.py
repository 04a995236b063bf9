"""Under AWS's own emulator, with a role's credentials: a run's files come from S3, and its artifacts go there."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import lambda_environment
import pytest
import s3_emulator
from berth_runner.sweep import descendants
from lambda_environment import Environment, environment
from s3_emulator import BUCKET, Emulator, emulator, prefix_of

_WHY = lambda_environment.why_not() or s3_emulator.why_not()
pytestmark = pytest.mark.skipif(_WHY is not None, reason=str(_WHY))

MIB = 1024 * 1024
ROOMY = {"maxDiskBytes": 64 * MIB}
OWN = prefix_of("user1")
# A prefix that begins as the own one does, when one forgets the slash.
THEIRS = prefix_of("user10")


@pytest.fixture(scope="module")
def s3() -> Iterator[Emulator]:
    with emulator() as started:
        started.put("berths/user1/files/a.csv", b"n\n1\n2\n")
        started.put("berths/user10/files/a.csv", b"of another tenant")
        yield started


@pytest.fixture(scope="module")
def variables(s3: Emulator) -> dict[str, str]:
    return s3.role("user1")


@pytest.fixture(scope="module")
def berth(variables: dict[str, str]) -> Iterator[Environment]:
    with environment(**variables) as started:
        yield started


def main_of(reply: dict) -> object:
    assert reply["kind"] == "reply", reply
    assert reply["outcome"]["status"] == "succeeded", reply
    return next(result.get("json") for result in reply["results"] if result["isMain"])


def test_named_files_are_there_and_no_others(berth, s3):
    s3.put("berths/user1/files/unnamed.csv", b"x")
    s3.put("berths/user1/files/b.txt", b"bee")

    reply = berth.run("import os\nsorted(os.listdir('.')), open('b.txt').read()", files=["b.txt", "a.csv"], prefix=OWN)

    assert main_of(reply) == [["a.csv", "b.txt", "outputs"], "bee"]


def test_typescript_reads_them_too(berth):
    code = "import { readFileSync } from 'node:fs'\nexport default readFileSync('a.csv', 'utf8')"

    assert main_of(berth.run(code, "typescript", files=["a.csv"], prefix=OWN)) == "n\n1\n2\n"


@pytest.mark.parametrize(
    "name", ["a b+c.csv", "50%.csv", "%2e%2e", "q?x=1&y#z", "größe.csv", "x..", "日本.txt", "a*~'()!"]
)
def test_a_file_is_the_one_of_that_very_name(berth, s3, name):
    s3.put(f"berths/user1/files/{name}", name.encode())

    assert main_of(
        berth.run("variables['n'], open(variables['n']).read()", files=[name], prefix=OWN, variables={"n": name})
    ) == [name, name]


def test_a_large_file_arrives_whole(berth, s3):
    s3.put("berths/user1/files/large.bin", bytes(range(256)) * 80_000)
    code = "import hashlib\nhashlib.file_digest(open('large.bin', 'rb'), 'sha256').hexdigest()"

    digest = main_of(berth.run(code, files=["large.bin"], prefix=OWN, limits=ROOMY))

    assert digest == hashlib.sha256(bytes(range(256)) * 80_000).hexdigest()


def test_the_code_may_change_its_copy_and_the_next_run_has_the_file_again(berth):
    code = "import os\nos.chmod('a.csv', 0o600)\nopen('a.csv', 'w').write('spoilt')\nopen('a.csv').read()"

    assert main_of(berth.run(code, files=["a.csv"], prefix=OWN)) == "spoilt"
    assert main_of(berth.run("open('a.csv').read()", files=["a.csv"], prefix=OWN)) == "n\n1\n2\n"


def test_a_file_that_is_missing_is_named(berth):
    refusal = berth.run("1", files=["a.csv", "none.csv"], prefix=OWN)

    assert (refusal["kind"], refusal["code"]) == ("refusal", "file_not_found")
    assert refusal["detail"] == "'none.csv' does not exist among the tenant's files"


def test_a_denied_key_is_missing_only_when_a_listing_says_so(berth, s3):
    # S3 denies a missing key to a role that may not list the whole bucket. The role may list this folder, not read it.
    elsewhere = {**OWN, "files": "berths/user1/elsewhere/"}
    s3.put("berths/user1/elsewhere/there.csv", b"x")

    absent = berth.run("1", files=["absent.csv"], prefix=elsewhere)
    there = berth.run("1", files=["there.csv"], prefix=elsewhere)

    assert absent["code"] == "file_not_found"
    assert there["code"] == "runner_failed"


def test_another_tenants_file_is_refused_and_no_key_is_named(berth):
    refusal = berth.run("open('a.csv').read()", files=["a.csv"], prefix=THEIRS)

    assert (refusal["kind"], refusal["code"]) == ("refusal", "runner_failed")
    assert refusal["detail"] == "the tenant's file 'a.csv' could not be read from S3: AccessDenied"


def test_files_beyond_the_disk_limit_are_the_callers_affair(berth, s3):
    for name in ("x", "y"):
        s3.put(f"berths/user1/files/{name}.bin", bytes(10 * MIB))

    reply = berth.run("1", files=["x.bin", "y.bin"], prefix=OWN)

    assert reply["kind"] == "reply"
    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == ("failed", "disk_limit")
    assert main_of(berth.run("1", files=["x.bin"], prefix=OWN)) == 1


def held_files(berth: Environment) -> list[str]:
    return [
        target for pid in descendants(berth._process.pid) for target in open_files(pid) if "/berth-runner-" in target
    ]


def open_files(pid: int) -> list[str]:
    try:
        return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []  # it has ended meanwhile


def test_nothing_of_a_fetched_file_is_left_when_the_answer_is_there(berth):
    look = "import os\nos.path.samestat(os.stat('a.csv'), os.stat(variables['at'] + '/a.csv')), os.getcwd()"

    same, folder = main_of(berth.run(look, files=["a.csv"], prefix=OWN, variables={"at": "."}))

    assert same
    assert held_files(berth) == []
    assert (
        main_of(berth.run("import os\nos.path.exists(variables['at'])", variables={"at": f"{folder}/a.csv"})) is False
    )


def test_a_large_artifact_is_stored_whole_in_parts_and_a_small_one_travels(berth, s3):
    code = "open('outputs/large', 'wb').write(bytes(range(256)) * 80_000)\nopen('outputs/small', 'w').write('s')"

    reply = berth.run(code, prefix=prefix_of("user1", "large"), limits=ROOMY)

    main_of(reply)
    large, small = reply["artifacts"]
    assert (large["stored"], large["content"], large["bytes"]) == (True, None, 20_480_000)
    assert (small["stored"], base64.b64decode(small["content"])) == (False, b"s")
    # What travels the server stores, as on every backend: nothing is stored twice.
    assert s3.keys("berths/user1/runs/large/") == ["berths/user1/runs/large/large"]
    assert s3.get("berths/user1/runs/large/large") == bytes(range(256)) * 80_000
    assert s3.uploads() == []


def test_an_artifacts_key_is_inside_the_prefix_whatever_its_name(berth, s3):
    names = ["..a/...", "%2e%2e/x", "a b+c?d#e&f=g", "deep/er/größe", "~/.aws/config", "\\..\\x"]
    code = (
        "import os\nfor n in variables['names']:\n    p = 'outputs/' + n\n"
        "    os.makedirs(os.path.dirname(p), exist_ok=True)\n    open(p, 'w').write(n)\n1"
    )
    prefix = prefix_of("user1", "names")

    reply = berth.run(code, prefix=prefix, variables={"names": names}, limits={"maxInlineArtifactBytes": 0})

    main_of(reply)
    assert sorted(each["name"] for each in reply["artifacts"]) == sorted(names)
    assert sorted(s3.keys("")) == sorted({*s3.keys("berths/user1/"), *s3.keys("berths/user10/")})
    for name in names:
        assert s3.get(f"{prefix['run']}{name}") == name.encode()


def test_an_artifact_that_may_not_be_kept_is_named_and_the_others_are_there(berth, s3):
    code = "for n in 'ab': open('outputs/' + n, 'wb').write(bytes(9_000_000))\nopen('outputs/c', 'w').write('c')\n7"

    reply = berth.run(code, prefix=THEIRS, limits=ROOMY)

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == ("failed", "runner_failed")
    assert reply["outcome"]["detail"] == "could not be kept: 'a' (AccessDenied), 'b' (AccessDenied)"
    assert [each["name"] for each in reply["artifacts"]] == ["c"]
    assert s3.keys("berths/user10/runs/") == []


def test_a_reply_too_large_for_lambda_leaves_its_artifacts_in_the_prefix(berth, s3):
    code = "open('outputs/a', 'wb').write(b'x' * 4_000_000)\nopen('outputs/b', 'w').write('b')\nprint('\\0' * 900_000)"

    reply = berth.run(code, prefix=prefix_of("user1", "full"))

    assert reply["outcome"]["status"] == "succeeded", reply["outcome"]
    assert len(json.dumps(reply)) <= 5_767_168
    assert [(each["stored"], each["content"] is None) for each in reply["artifacts"]] == [(True, True), (False, False)]
    assert s3.get("berths/user1/runs/full/a") == b"x" * 4_000_000


def search(secrets: list[str]) -> str:
    """A run's code that looks for secrets everywhere; cut in two, so that it does not find itself."""
    halves = [(secret[: len(secret) // 2], secret[len(secret) // 2 :]) for secret in secrets]
    return f"""
import os
secrets = [(a + b).encode() for a, b in {halves!r}]
found = [k for k in os.environ if k.startswith("AWS_")]
paths = [f"/proc/{{p}}/{{n}}" for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()
         for n in ("environ", "mem", "maps", "cmdline")]
for root in ("/tmp", "/var/tmp", "/dev/shm"):
    paths += [os.path.join(at, f) for at, _, fs in os.walk(root) for f in fs]
for path in paths:
    try:
        with open(path, "rb") as f:
            content = f.read(2_000_000)
            found += [path for s in secrets if s in content]
    except (OSError, ValueError, OverflowError):
        pass
found"""


def test_the_credentials_are_nowhere_a_run_looks_though_the_supervisor_uses_them(berth, variables):
    secrets = [variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"]]

    assert main_of(berth.run(search(secrets), files=["a.csv"], prefix=OWN)) == []


def test_a_control_shows_that_the_search_finds_what_a_process_leaves_open(berth, variables):
    secret = variables["AWS_SECRET_ACCESS_KEY"]
    leave = f"open('/tmp/left', 'w').write({secret[:20]!r} + {secret[20:]!r})\n"

    assert main_of(berth.run(leave + search([secret]), files=["a.csv"], prefix=OWN)) == ["/tmp/left"]


def self_test_of(berth: Environment, **changes: object) -> dict:
    event = {
        "protocol": 1,
        "kind": "self_test",
        "bucket": BUCKET,
        "prefix": "berths/user1/",
        "file": "a.csv",
        "token": "n\n1\n2\n",
        "otherPrefix": "berths/user10/",
        "noEgress": False,
        **changes,
    }
    report: dict = berth.invoke(event)
    return report


def failed(report: dict) -> list[str]:
    return [check["name"] for check in report["checks"] if not check["passed"]]


def test_the_self_test_proves_the_prefix(berth):
    report = self_test_of(berth)

    assert report["passed"], report
    assert {check["name"] for check in report["checks"]} >= {"own_prefix_readable", "other_prefix_refused"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": "another"}, ["own_prefix_readable"]),
        ({"file": "none.csv"}, ["own_prefix_readable"]),
        ({"prefix": "berths/user10/"}, ["own_prefix_readable"]),
        # The role may read there. A key that is missing is no proof that it may not.
        ({"otherPrefix": "berths/user1/"}, ["other_prefix_refused"]),
        ({"otherPrefix": "berths/user1/", "file": None, "token": None}, ["other_prefix_refused"]),
    ],
)
def test_the_self_test_fails_where_the_role_reaches_too_little_or_too_much(berth, changes, expected):
    assert failed(self_test_of(berth, **changes)) == expected


def test_controls_show_that_only_the_role_keeps_a_function_in_its_prefix():
    with emulator(enforcing=False) as lax:
        lax.put("berths/user10/files/a.csv", b"of another tenant")
        with environment(**lax.role("user1")) as berth:
            read = berth.run("open('a.csv').read()", files=["a.csv"], prefix=THEIRS)
            report = self_test_of(berth, file=None, token=None)

    assert main_of(read) == "of another tenant"
    assert failed(report) == ["other_prefix_refused"]


def test_a_function_that_cannot_reach_s3_says_so_and_still_runs(variables):
    with environment(**{**variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}) as berth:
        refusal = berth.run("1", files=["a.csv"], prefix=OWN)
        reply = berth.run("1 + 1", prefix=OWN)

    assert refusal["code"] == "runner_failed"
    assert refusal["detail"].endswith("could not be read from S3: EndpointConnectionError")
    assert main_of(reply) == 2
