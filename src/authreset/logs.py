"""Structured logs on standard error; tokens and addresses are masked, whoever wrote them."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

# Neither looks at what stands before it: a link may be quoted as "%2Fr.…", an address as "=a@b".
_TOKEN = re.compile(r"([oaur])\.[A-Za-z0-9_-]{24,}")
_LOCAL = r"[^\s@<>()\[\],;:\"\\]"
_DOMAIN = r"[^\s@%<>()\[\]{},;:\"'\\/?&]"
_ADDRESS = re.compile(rf"({_LOCAL}){_LOCAL}{{0,320}}(?:@|%40)({_DOMAIN}){_DOMAIN}*")


def configure_logs(format: str, level: str) -> None:
    """Send every log of this process, also those of libraries, to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    last: Any = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    for chatty in ("uvicorn.access", "aiosmtplib", "aiosqlite", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def mask_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Mask what looks like a token or an e-mail address, however deep in an event it stands."""
    return {key: _mask(value) for key, value in event.items()}


def _mask(value: Any) -> Any:
    match value:
        case str():
            return _mask_text(value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {_mask_text(str(key)): _mask(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_mask(one) for one in value]
        case _:
            return _mask_text(repr(value))  # which is what would be written


def _mask_text(text: str) -> str:
    return _ADDRESS.sub(r"\1…@\2…", _TOKEN.sub(r"\1.…", text))
