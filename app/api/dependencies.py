"""The dependencies of handlers. The name of the parameter selects the value that `app.wiring` provides."""

from __future__ import annotations

from litestar.di import NamedDependency

from app import db
from app.api import own_guess
from app.development import tools
from app.domain.accounts import registration
from app.domain.auth import devices, passwords, second_factors, tokens
from app.domain.invites import invite_tokens
from app.domain.notifications import unsubscribe
from app.domain.throttling import policies, reports
from app.store import inbox_reader, message_traces, message_writer, page_reader
from app.throttling import hourly_quotas, password_guesses

Tx = NamedDependency[db.Session]
"""The request's transaction: committed after the handler returns, rolled back if it raises."""

ConversationLists = NamedDependency[inbox_reader.InboxReader]
Database = NamedDependency[db.Database]
Development = NamedDependency[tools.DevelopmentTools]
Device = NamedDependency[devices.Device]
InviteLinks = NamedDependency[invite_tokens.InviteLinks]
MessageTraces = NamedDependency[message_traces.MessageTraces]
OwnGuess = NamedDependency[own_guess.OwnGuess]
PageReader = NamedDependency[page_reader.PageReader]
PasswordGuesses = NamedDependency[password_guesses.PasswordGuesses]
Passwords = NamedDependency[passwords.Passwords]
Policies = NamedDependency[policies.Policies]
Quotas = NamedDependency[hourly_quotas.HourlyQuotas]
Registrar = NamedDependency[registration.Registrar]
Reports = NamedDependency[reports.Reports]
SecondFactors = NamedDependency[second_factors.SecondFactors]
Tokens = NamedDependency[tokens.Tokens]
UnsubscribeTokens = NamedDependency[unsubscribe.UnsubscribeTokens]
Writer = NamedDependency[message_writer.MessageWriter]
