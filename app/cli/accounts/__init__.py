"""Commands about accounts: `users` finds, suspends and promotes them, `invites` lets people register."""

from __future__ import annotations

from app.cli.accounts import invites, users

COMMANDS = (*users.COMMANDS, *invites.COMMANDS)
