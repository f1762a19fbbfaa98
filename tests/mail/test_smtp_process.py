"""The server of the tests as a program of its own, for stories that need one."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

from authreset.mail.carriers import Accepted
from authreset.mail.smtp import SmtpCarrier, parse_smtp_url
from tests.mail.examples import ALICE, LINK, SENDER, mail

ROOT = Path(__file__).parents[2]


async def deliver(url):
    carrier = SmtpCarrier(parse_smtp_url(url + "?starttls=off&timeout=5"))
    try:
        return await carrier.send(mail(), ALICE)
    finally:
        await carrier.close()


def test_each_mail_becomes_a_line_of_json(tmp_path):
    out = tmp_path / "mails.jsonl"
    command = [sys.executable, "-m", "tests.support.smtp_process", "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            url = json.loads(process.stdout.readline())["url"]
            assert isinstance(asyncio.run(deliver(url)), Accepted)
            [line] = [json.loads(one) for one in out.read_text("utf-8").splitlines()]
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert (line["sender"], line["recipients"], line["links"]) == (SENDER, [ALICE], [LINK])
    assert line["headers"]["auto-submitted"] == "auto-generated"
    assert LINK in line["html"]
