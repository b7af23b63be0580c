"""The chat on one machine: embedded servers and one supervisor. Development's floor; production never imports it."""
