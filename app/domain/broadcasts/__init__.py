"""System broadcasts: what operators announce to everybody, to operators, or to the members of some conversations."""
