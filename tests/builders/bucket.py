"""A server on loopback that speaks S3, conditional writes included: `moto`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib import request

import pytest
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Bucket(Struct, frozen=True, kw_only=True):
    """The bucket `team`.

    Attributes:
        client: boto3's, to look and to meddle.
        login: variables that envgen needs to reach it.
    """

    client: Any
    login: Mapping[str, str]


@contextmanager
def open_bucket() -> Iterator[Bucket]:
    """Run the server with an empty bucket `team`; skip the test where a library for it is missing."""
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("obstore")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    login = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key=login["AWS_SECRET_ACCESS_KEY"])
    client = session.client("s3", endpoint_url=login["AWS_ENDPOINT_URL"], region_name="us-east-1")
    request.urlopen(request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()  # state is global
    client.create_bucket(Bucket="team")
    try:
        yield Bucket(client=client, login=login)
    finally:
        server.stop()
