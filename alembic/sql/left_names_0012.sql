-- The name that a former member had on leaving. Its conversations show this name instead of a later one.
ALTER TABLE memberships ADD COLUMN left_first_name varchar(100), ADD COLUMN left_last_name varchar(100);
UPDATE memberships m SET left_first_name = u.first_name, left_last_name = u.last_name
    FROM users u WHERE u.id = m.user_id AND m.left_at IS NOT NULL AND u.closed_at IS NULL;
CREATE INDEX ix_memberships_left_names ON memberships (user_id, conversation_id) WHERE left_first_name IS NOT NULL;
