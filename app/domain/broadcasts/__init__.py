"""System broadcasts: operators' announcements to all users, to operators, or to members of given conversations."""
