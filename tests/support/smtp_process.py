"""The SMTP server of the tests as a program: `python -m tests.support.smtp_process --out FILE`.

Prints one JSON line with its host, port and URL once it listens, then appends one JSON line for
each mail to FILE (standard output if there is none). Ends on SIGTERM or SIGINT.
"""

import argparse
import base64
import contextlib
import json
import signal
import sys
import threading
from typing import Any, TextIO

from tests.support.smtp import CapturedMail, SmtpServer


def as_json(mail: CapturedMail) -> dict[str, Any]:
    return {
        "sender": mail.sender,
        "recipients": mail.recipients,
        "headers": {name.lower(): str(value) for name, value in mail.message.items()},
        "links": mail.links,
        "text": mail.text,
        "html": mail.html,
        "raw_base64": base64.b64encode(mail.raw).decode(),
    }


def main() -> None:
    arguments = _arguments()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with contextlib.ExitStack() as stack:
        out = sys.stdout
        if arguments.out:
            out = stack.enter_context(open(arguments.out, "a", encoding="utf-8"))
        _serve(arguments, out, stopped)


def _serve(arguments: argparse.Namespace, out: TextIO, stopped: threading.Event) -> None:
    server = SmtpServer(
        port=arguments.port,
        credentials=tuple(arguments.login.split(":", 1)) if arguments.login else None,
        on_mail=lambda mail: _write(out, as_json(mail)),
    )
    with server:
        _write(sys.stdout, {"host": server.host, "port": server.port, "url": server.url()})
        stopped.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="smtp_process", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--out", help="file to which mails are appended as JSON lines")
    parser.add_argument("--login", metavar="USER:PASSWORD", help="makes AUTH a duty")
    return parser.parse_args()


def _write(out: TextIO, value: dict[str, Any]) -> None:
    print(json.dumps(value), file=out, flush=True)


if __name__ == "__main__":
    main()
