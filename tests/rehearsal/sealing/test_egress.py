"""The way out leads to package registries and everywhere else, but never to AWS or to the machine's own credentials."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rehearsal.cloud.egress import HINT, Egress
from rehearsal.cloud.egress_names import FAILURE_KEPT_SECONDS, KEPT_SECONDS, Names
from tests.waiting import PATIENCE


class _Site(BaseHTTPRequestHandler):
    """Answers with the request it got; as a proxy's upstream it answers a tunnel's request, too."""

    def do_GET(self) -> None:
        body = f"{self.path} for {self.headers['Host']}, {self.headers.get('Proxy-Authorization')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self.send_response(418, f"asked for {self.path} by {self.headers.get('Proxy-Authorization')}")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened() -> Iterator[list[Egress]]:
    made: list[Egress] = []
    yield made
    for each in made:
        each.close()


def asked(egress: Egress, url: str, opened: list[Egress]) -> str:
    """What a program that heeds proxies is answered; the reason of a refusal."""
    egress.open()
    opened.append(egress)
    proxy = egress.variables()["https_proxy"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    try:
        return str(opener.open(url, timeout=PATIENCE).read().decode())
    except urllib.error.HTTPError as refusal:
        return f"{refusal.code} {refusal.read().decode()}"
    except urllib.error.URLError as refusal:
        return str(refusal.reason)


@pytest.mark.parametrize(
    "host",
    [
        "sts.us-east-1.amazonaws.com",
        "STS.amazonaws.com.",
        "bucket.s3.eu-west-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
        "ec2.us-east-1.api.aws",
        "api.sagemaker.us-east-1.amazonaws.com",
        "codeartifact.us-east-1.amazonaws.com",
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "sts.eusc-de-east-1.amazonaws.eu",
        "s3.dualstack.eusc-de-east-1.api.amazonwebservices.eu",
        "sts.us-iso-east-1.c2s.ic.gov",
        "sts.us-isob-east-1.sc2s.sgov.gov",
        "s3.eu-isoe-west-1.cloud.adc-e.uk",
        "abc.lambda-url.us-east-1.on.aws",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "instance-data",
        "instance-data.ec2.internal",
        "instance-data.eu-west-1.compute.internal",
    ],
)
def test_aws_and_credential_addresses_are_refused(host: str) -> None:
    assert not Egress({}).allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "packages.example.org",
        "files.example.org",
        "10.0.0.7",
        "167772167",
        "::ffff:10.0.0.7",
        "www.nsa.ic.gov",
        "instance-data.example.org",
        "notamazonaws.com",
        "amazonaws.com.example.org",
        "company-123456789012.d.codeartifact.us-east-1.amazonaws.com",
        "awscli.amazonaws.com",
    ],
)
def test_registries_and_everything_else_are_reached(host: str) -> None:
    assert Egress({}).allows(host)


def test_a_registry_that_this_machine_is_set_up_with_is_reached_wherever_it_lies() -> None:
    machine = {
        "PIP_EXTRA_INDEX_URL": "https://jo:secret@wheels.s3.us-east-1.amazonaws.com/simple https://pypi.example.com",
        "UV_INDEX": "own=https://more.s3.amazonaws.com/simple",
        "OTHER_URL": "https://other.s3.amazonaws.com",
    }
    egress = Egress(machine)
    assert egress.allows("wheels.s3.us-east-1.amazonaws.com")
    assert egress.allows("more.s3.amazonaws.com")
    assert not egress.allows("other.s3.amazonaws.com")


def test_a_refusal_names_the_host_and_what_to_look_for(opened: list[Egress]) -> None:
    egress = Egress({})
    assert "AWS is not called" in asked(egress, "https://sts.us-east-1.amazonaws.com/", opened)
    answer = asked(egress, "http://169.254.169.254/latest/meta-data/", opened)
    assert answer.startswith("403 169.254.169.254 is AWS itself")
    assert "AWS_ENDPOINT_URL" in answer
    assert egress.refused == ["sts.us-east-1.amazonaws.com", "169.254.169.254"]
    assert egress.reached == set()
    assert HINT in egress.variables()["HTTPS_PROXY"], "the SDK tells the address of a proxy that refuses, nothing else"


def test_a_request_is_passed_on_as_the_host_wants_it(site: int, opened: list[Egress]) -> None:
    egress = Egress({})
    assert asked(egress, f"http://127.0.0.1:{site}/simple/?a=b", opened) == f"/simple/?a=b for 127.0.0.1:{site}, None"
    assert egress.reached == {"127.0.0.1"}


def test_a_host_that_cannot_be_reached_is_named(opened: list[Egress]) -> None:
    answer = asked(Egress({}), "http://127.0.0.1:9/simple/", opened)
    assert answer.startswith("502 127.0.0.1:9 cannot be reached: ")


def test_connections_go_through_the_machines_own_proxy(site: int, opened: list[Egress]) -> None:
    machine = {"HTTPS_PROXY": f"http://jo:pa%20ss@127.0.0.1:{site}", "http_proxy": f"127.0.0.1:{site}"}
    assert "418 asked for example.org:443 by Basic am86cGEgc3M=" in asked(
        Egress(machine), "https://example.org/", opened
    )
    assert asked(Egress(machine), "http://example.org/x", opened) == "http://example.org/x for example.org, None"


def test_what_the_machine_reaches_without_its_proxy_is_reached_so(site: int, opened: list[Egress]) -> None:
    machine = {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    assert asked(Egress(machine), f"http://127.0.0.1:{site}/", opened).startswith("/ for ")


# ---- names are looked up once, by the proxy


class Directory:
    """Addresses by name; counts who asks, and lets them wait for one another."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.addresses = {name.replace("_", "."): found for name, found in addresses.items()}
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.now = 1000.0
        self.names = Names(self.ask, lambda: self.now)

    def ask(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        assert self.answers.wait(PATIENCE)
        if name not in self.addresses:
            raise OSError(-2, f"Name or service not known: {name}")
        return self.addresses[name]


@pytest.mark.parametrize(
    "addresses",
    [["169.254.169.254"], ["127.0.0.1", "169.254.170.2"], ["fd00:ec2::254"], ["::ffff:169.254.169.254"]],
)
def test_a_name_for_the_metadata_address_is_refused(site: int, opened: list[Egress], addresses: list[str]) -> None:
    egress = Egress({}, Directory(innocent_example_org=addresses).names)
    answer = asked(egress, f"http://innocent.example.org:{site}/latest/meta-data/", opened)
    assert answer.startswith("403 innocent.example.org is another name for ")
    assert addresses[-1] in answer
    assert egress.refused == ["innocent.example.org"]
    assert egress.reached == set()


def test_the_connection_goes_to_the_address_that_was_looked_at(site: int, opened: list[Egress]) -> None:
    directory = Directory(packages_example_org=["127.0.0.1"])
    egress = Egress({}, directory.names)
    assert asked(egress, f"http://packages.example.org:{site}/simple/", opened).startswith("/simple/ for packages.")
    assert directory.asked == ["packages.example.org"]


def test_the_next_address_is_tried_when_one_does_not_answer(site: int, opened: list[Egress]) -> None:
    egress = Egress({}, Directory(packages_example_org=["::1", "127.0.0.1"]).names)
    assert asked(egress, f"http://packages.example.org:{site}/", opened).startswith("/ for packages.")


def test_a_name_that_nobody_knows_is_named(opened: list[Egress]) -> None:
    answer = asked(Egress({}, Directory().names), "http://unknown.example.org/", opened)
    assert answer.startswith("502 unknown.example.org:80 cannot be reached: ")
    assert "Name or service not known" in answer


def test_fifty_who_ask_at_once_cause_one_look_up() -> None:
    directory = Directory(packages_example_org=["10.0.0.7"])
    directory.answers.clear()
    together = threading.Barrier(51)

    def ask() -> Sequence[str]:
        together.wait(PATIENCE)
        return directory.names.addresses("packages.example.org")

    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(ask) for _ in range(50)]
        together.wait(PATIENCE)
        directory.answers.set()
        assert {tuple(each.result(PATIENCE)) for each in answers} == {("10.0.0.7",)}
    assert directory.asked == ["packages.example.org"]


def test_a_slow_name_keeps_no_other_waiting() -> None:
    answers = threading.Event()

    def ask(name: str) -> Sequence[str]:
        assert name == "quick.example.org" or answers.wait(PATIENCE)
        return ["10.0.0.7"]

    names = Names(ask)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(names.addresses, "slow.example.org")
        assert names.addresses("quick.example.org") == ["10.0.0.7"]
        assert not slow.done()
        answers.set()
        assert slow.result(PATIENCE) == ["10.0.0.7"]


def test_an_answer_is_kept_for_a_minute_and_a_failure_for_a_moment() -> None:
    directory = Directory(packages_example_org=["10.0.0.7"])
    for name in ("packages.example.org", "PACKAGES.example.org."):
        directory.names.addresses(name)
    directory.now += KEPT_SECONDS
    directory.names.addresses("packages.example.org")
    assert directory.asked == ["packages.example.org"] * 2

    for _ in range(2):
        with pytest.raises(OSError, match="not known"):
            directory.names.addresses("new.example.org")
    directory.addresses["new.example.org"] = ["10.0.0.9"]
    directory.now += FAILURE_KEPT_SECONDS
    assert directory.names.addresses("new.example.org") == ["10.0.0.9"]
    assert directory.asked.count("new.example.org") == 2


def test_before_a_cloud_stands_there_is_no_way_out() -> None:
    assert Egress({}).variables()["https_proxy"].startswith("http://127.0.0.1:9/")
