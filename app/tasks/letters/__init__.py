"""Mails as their readers see them: templates, languages, links and header fields."""
