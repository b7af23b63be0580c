"""What a client writes in a message: a text, or the URL of an image, audio or video. The server never fetches a URL.

Limits from the contract: text of 1 to 8,000 characters, not only whitespace; `https` URLs of up to 2,048 characters
without credentials; `client_id` of up to 64 characters. REST, sockets and edits share these rules.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from app.domain.error_catalogue import invalid_message
from app.domain.messages.schemas import MessageType
from app.domain.validation import RULE, Faults, Rule, clean

MAX_TEXT_LENGTH = 8_000
MAX_URL_LENGTH = 2_048
MAX_CLIENT_ID_LENGTH = 64
MAX_SEQ = 2**63 - 1

_encode = msgspec.json.Encoder().encode


def _checked_later(description: str, rule: Rule, **schema: Any) -> msgspec.Meta:
    """Documents a field whose `rule` is checked below, with an error code of its own."""
    return msgspec.Meta(description=description, extra={RULE: rule}, extra_json_schema=schema)


Text = Annotated[
    str | None,
    _checked_later(
        "Of a `text`: 1 to 8,000 characters, not only blanks.",
        lambda text, field: clean(text, field, MAX_TEXT_LENGTH, 0),
        minLength=1,
        maxLength=MAX_TEXT_LENGTH,
    ),
]
MediaUrl = Annotated[
    str | None,
    _checked_later(
        "Of the other types: an `https` address without credentials.",
        lambda url, _: checked_url(url),
        maxLength=MAX_URL_LENGTH,
    ),
]
ClientId = Annotated[
    str | None,
    _checked_later(
        "Makes a retry safe: the same one finds the same message.",
        lambda client_id, _: checked_client_id(client_id),
        maxLength=MAX_CLIENT_ID_LENGTH,
    ),
]
ReplyTo = Annotated[
    int | None, _checked_later("A `seq` of this conversation.", lambda seq, _: checked_reply(seq), minimum=1)
]


class MessageBody(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a message that its sender chooses: in a request, in a `send` frame, and in a draft."""

    message_type: MessageType
    text: Text = None
    media_url: MediaUrl = None
    client_id: ClientId = None
    reply_to: ReplyTo = None

    def digest(self) -> bytes:
        """16 bytes of BLAKE2b over the body. The same `client_id` with another digest is a different message.

        The digest is stored with the message, so it must not change for a body that could be sent before a field was
        added: the fields of release 1.0.0 are joined as they were then, and any other counts only if it is given.
        """
        body = f"{self.message_type}\0{self.text or ''}\0{self.media_url or ''}\0{self.reply_to or ''}".encode()
        for name in _ADDED_LATER:
            if (value := getattr(self, name)) is not None:
                body += b"\0%b\0%b" % (name.encode(), _encode(value))
        return blake2b(body, digest_size=16).digest()


_OF_RELEASE_1 = {"message_type", "text", "media_url", "client_id", "reply_to"}
_ADDED_LATER = tuple(name for name in MessageBody.__struct_fields__ if name not in _OF_RELEASE_1)

EMPTY: dict[str, str] = {"text": "", "media_url": ""}
"""The content of a deleted message."""


def checked_body(body: MessageBody, idempotency_key: str | None = None) -> MessageBody:
    """Returns the body to store, in which `text` and `media_url` are never None.

    Raises:
        Invalid: a field is missing or invalid; it is named.
    """
    text, media_url, client_id = "", "", None
    faults = Faults()
    with faults:
        text, media_url = checked_content(body.message_type, body.text, body.media_url)
    with faults:
        client_id = checked_client_id(body.client_id, idempotency_key)
    with faults:
        checked_reply(body.reply_to)
    faults.raise_all()
    return MessageBody(
        message_type=body.message_type,
        text=text,
        media_url=media_url,
        client_id=client_id,
        reply_to=body.reply_to,
    )


def checked_content(message_type: MessageType, text: str | None, media_url: str | None) -> tuple[str, str]:
    """Returns the pair (text, media_url) to store. The field that the type does not use is empty.

    Raises:
        Invalid: the required field is missing or invalid, or the other field is given.
    """
    if message_type == "text":
        if media_url:
            raise invalid_message(("media_url", "Must be left out of a text message."))
        return checked_text(text), ""
    if text:
        raise invalid_message(("text", f"Must be left out of a message of type {message_type}."))
    return "", checked_url(media_url)


def checked_text(text: str | None) -> str:
    if text is None or not text.strip():
        raise invalid_message(("text", "Must be given in a text message, and not only blanks."))
    return clean(text, "text", most=MAX_TEXT_LENGTH)


def checked_url(url: str | None) -> str:
    """Returns `url` if it is an https URL with a host and no credentials: all members would see a password in it."""
    if not url:
        raise invalid_message(("media_url", "Must be given in this type of message."))
    clean(url, "media_url", most=MAX_URL_LENGTH)
    if any(character.isspace() or ord(character) < 32 for character in url):
        raise invalid_message(("media_url", "Must not contain blanks."))
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise invalid_message(("media_url", "Must be an address.")) from None
    if parts.scheme != "https" or not host:
        raise invalid_message(("media_url", "Must begin with https:// and name a host."))
    if parts.username is not None or parts.password is not None:
        raise invalid_message(("media_url", "Must not contain a user name or password."))
    return url


def checked_client_id(client_id: str | None, header: str | None = None) -> str | None:
    """Returns the idempotency key, from the body or the `Idempotency-Key` header. Both mean the same."""
    if client_id is not None and header is not None and client_id != header:
        raise invalid_message(("client_id", "Must be the same as the Idempotency-Key header, if both are given."))
    key = client_id if client_id is not None else header
    return None if key is None else clean(key, "client_id", most=MAX_CLIENT_ID_LENGTH)


def checked_reply(reply_to: int | None) -> int | None:
    """Checks the range of a `seq`. Storing the message checks under the lock that the conversation has it."""
    if reply_to is not None and not 1 <= reply_to <= MAX_SEQ:
        raise invalid_message(("reply_to", "Must be the seq of a message of this conversation."))
    return reply_to
