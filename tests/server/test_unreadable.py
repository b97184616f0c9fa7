"""A line that is no message is answered, so that whoever sent it does not wait for ever."""

from pathlib import Path

from tests.hosts.serve import Serve, desk_environment

CALL = b'{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"hold_queue","arguments":%s}}'
HALF = b'{"queue":"ai_analysis","reason":"\\ud83d"}'
UNREADABLE = [
    (CALL % (b"901", HALF), 901),
    (CALL % (b'"abc"', HALF), "abc"),
    (CALL % (b'"\\ud83d"', HALF), None),
    (CALL % (b"true", HALF), None),
    (CALL % (b"902", b'{"queue":"ai_analysis","minutes":' + b"9" * 5000 + b"}"), 902),
    (CALL % (b"903", b"[" * 500 + b"]" * 500), 903),
    (CALL % (b"904", b"[" * 200_000), None),
    (b"\x00\xff not JSON", None),
    (b'{"id": 905, "method": "tools/call"}', 905),
]
NOBODY_WAITS = [b"", b" ", b'{"jsonrpc": "2.0", "result": 1}']


def test_each_unreadable_request_is_answered_and_the_server_goes_on(tmp_path: Path) -> None:
    with Serve(desk_environment(tmp_path)) as serve:
        serve.write(UNREADABLE[0][0])  # also before the first message
        serve.initialize()
        for line in [*(line for line, _ in UNREADABLE[1:]), *NOBODY_WAITS]:
            serve.write(line)
        status = serve.call("get_queue_status")
        errors = [message for message in serve.messages() if "error" in message]
    assert [error["id"] for error in errors] == [number for _, number in UNREADABLE]
    assert all("The message cannot be read (" in error["error"]["message"] for error in errors)
    assert all(queue["holds"] == [] for queue in status["queues"])
