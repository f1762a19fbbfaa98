"""The application: `uvicorn --factory bench.conventional.app:make_app`, CONVENTIONAL_URL set."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, EmailStr, Field, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bench.conventional.tables import ApiToken, ResetRequest, digest_of, make_engine


class ResetBody(BaseModel):
    """The body of the call; every field may be left out."""

    email: EmailStr | None = Field(default=None, max_length=320)
    entry: str | None = None
    entry_type: Literal[0, 2] | None = Field(default=None, alias="entryType")

    @model_validator(mode="after")
    def _entry_has_type(self) -> Self:
        if (self.entry is None) != (self.entry_type is None):
            raise ValueError("entry and entryType belong together")
        return self


class Answer(BaseModel):
    """The answer to a recorded request."""

    isSuccess: bool = True  # noqa: N815 - the name on the wire
    responseText: str = "Success"  # noqa: N815 - the name on the wire


async def open_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Give the request a session of its own."""
    async with request.app.state.sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]


async def authorise(
    session: Session, token: Annotated[str, Header(alias="requestToken")] = ""
) -> ApiToken:
    """Return the API token that the request carries; 401 if it is none that is valid."""
    found = await session.scalar(select(ApiToken).where(ApiToken.digest == digest_of(token)))
    if found is None or found.revoked or found.expires_at.replace(tzinfo=UTC) < datetime.now(UTC):
        raise HTTPException(401, "Unauthorized")
    return found


async def reset_password(
    request: Request,
    session: Session,
    token: Annotated[ApiToken, Depends(authorise)],
    body: ResetBody | None = None,
) -> Answer:
    """Record a request for a reset."""
    body = body or ResetBody()
    session.add(
        ResetRequest(
            token_id=token.id,
            email=body.email,
            entry=body.entry,
            entry_type=body.entry_type,
            client_address=request.client.host if request.client else None,
        )
    )
    await session.commit()
    return Answer()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the engine while the application runs."""
    engine = make_engine(os.environ["CONVENTIONAL_URL"])
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


def make_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(lifespan=lifespan)
    app.post("/api/User/authreset")(reset_password)
    app.get("/healthz")(lambda: {"status": "ok"})
    return app
