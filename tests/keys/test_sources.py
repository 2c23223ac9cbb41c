"""Root keys from the host program, a file descriptor, the environment."""

import os
import traceback
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER, WalletError
from bsv_wallet_toolbox.interfaces.keys import KeySource
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.keys.sources import CallbackKey, EnvironmentKey, FileDescriptorKey, StaticKey

pytestmark = pytest.mark.anyio

KEY = b"\xa7" * 32
HEX = "a7" * 32


def pipe_with(content: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


async def answer_later() -> bytes:
    return KEY


async def test_every_source_answers_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSV_WALLET_TEST_KEY", HEX.upper())
    sources: list[KeySource] = [
        StaticKey(KEY),
        CallbackKey(lambda: KEY),
        CallbackKey(answer_later),
        EnvironmentKey("BSV_WALLET_TEST_KEY", Chain.TEST),
        *(FileDescriptorKey(pipe_with(HEX.encode() + end)) for end in (b"", b"\n", b"\r\n")),
    ]
    for source in sources:
        assert await source.root_key() == KEY
        assert "a7" not in repr(source).lower()
        assert repr(KEY)[2:-1] not in repr(source)


async def test_a_descriptor_is_read_as_far_as_the_line_end_and_closed() -> None:
    reader, writer = os.pipe()
    os.write(writer, HEX.encode() + b"\n")
    assert await FileDescriptorKey(reader).root_key() == KEY
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)


async def test_a_descriptor_answers_once() -> None:
    source = FileDescriptorKey(pipe_with(HEX.encode()))
    await source.root_key()
    with pytest.raises(WERR_INVALID_OPERATION, match="already read"):
        await source.root_key()


async def test_a_descriptor_that_is_not_open_is_an_error() -> None:
    descriptor = pipe_with(b"")
    os.close(descriptor)
    with pytest.raises(WERR_INVALID_OPERATION, match=f"file descriptor {descriptor}: Bad file descriptor"):
        await FileDescriptorKey(descriptor).root_key()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        HEX[:-1].encode(),
        HEX.encode() + b"0",
        b"0x" + HEX.encode(),
        KEY,
        b"0" * 64,
        b"f" * 64,
        b"a7" * 5000,
        b" " + HEX.encode(),
        HEX.encode() + b"\n\n",
        b"\xff" * 64,
    ],
)
async def test_what_is_no_key_is_refused_and_not_quoted(content: bytes) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await FileDescriptorKey(pipe_with(content)).root_key()
    text = "".join(traceback.format_exception(refused.value))
    assert refused.value.parameter == "rootKey"
    assert "a7a7" not in text
    assert "ffff" not in text


@pytest.mark.parametrize("answer", [b"", bytes(32), HEX, None, b"\x01" * 33])
async def test_a_callback_that_answers_no_key_is_refused(answer: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="rootKey"):
        await CallbackKey(lambda: answer).root_key()


async def test_what_a_callback_raises_goes_through() -> None:
    def refuse() -> bytes:
        raise PermissionError("the person said no")

    with pytest.raises(PermissionError, match="the person said no"):
        await CallbackKey(refuse).root_key()


async def test_the_environment_is_no_source_on_the_main_net() -> None:
    with pytest.raises(WERR_INVALID_OPERATION, match="main net"):
        EnvironmentKey("BSV_WALLET_TEST_KEY", Chain.MAIN)


async def test_a_variable_that_is_not_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BSV_WALLET_TEST_KEY", raising=False)
    with pytest.raises(WERR_INVALID_OPERATION, match="BSV_WALLET_TEST_KEY"):
        await EnvironmentKey("BSV_WALLET_TEST_KEY", Chain.MOCK).root_key()


async def test_bad_arguments_are_refused_at_once() -> None:
    for make in (lambda: StaticKey(bytes(32)), lambda: FileDescriptorKey(-1), lambda: FileDescriptorKey(True)):
        with pytest.raises(WalletError):
            make()
