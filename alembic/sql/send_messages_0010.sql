-- Stores a batch of messages: lock first, then judge and write on a snapshot taken after the locks.
-- As of 0010 `shown` names those who had hidden the (direct) conversation up to this message: it is in their lists again.
-- Nothing is written for that: a membership is hidden while its hidden_seq is the last_seq. In place of the one of 0008.
--
-- p_conversations: the ids of all conversations in the batch, each once. p_drafts: an object for each message, with the
-- keys below; `digest` as \x…, `names` the lower-case names after an `@`, between bars, or null.
--
-- It must be VOLATILE plpgsql: each statement in it then sees its own snapshot. One statement that locks, checks and
-- inserts works on a snapshot older than its locks: gaps in seq, duplicates, sends stored after a removal.
-- Equal keys (conversation, sender, client_id) of a batch are folded by the caller.
--
-- outcome: stored · replayed · mismatch (key used with another body) · unauthenticated (login or account ended)
--          · not_found (no such conversation, or private and not a member) · forbidden (public, not a member)
--          · bad_reply (reply_to beyond the last seq) · throttled (a look-up only, and no replay found)
CREATE FUNCTION send_messages(
    p_conversations uuid[], p_drafts json
) RETURNS TABLE (
    ordinal bigint, outcome text, id uuid, seq bigint, "position" bigint, message_type text, body text, media_url text,
    reply_to bigint, sent_at timestamptz, updated_at timestamptz, deleted_at timestamptz,
    first_name text, last_name text, last_seq bigint, edited_position bigint, shown uuid[]
) LANGUAGE plpgsql VOLATILE
-- Every step is a look-up by key, whatever the statistics say; and planning sixteen partitions anew for each batch would
-- cost more than running it (measured: 4 ms of 5.6).
SET plan_cache_mode = force_generic_plan SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
-- What a step costs is the rows it looks at, not the pages they lie on. A membership is looked for by what the draft says
-- alone, and by `ended` (the same as left_at IS NULL): so its key is the only index that serves.
SET random_page_cost = 0.1 SET seq_page_cost = 0.1
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
BEGIN
    PERFORM 1 FROM conversations c WHERE c.id = ANY (p_conversations) ORDER BY c.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    RETURN QUERY
    WITH draft AS (
        SELECT * FROM ROWS FROM (json_to_recordset(p_drafts) AS (
                id uuid, conversation uuid, sender uuid, session uuid, client_id text, digest bytea,
                message_type text, text text, media_url text, reply_to bigint, lookup boolean, names text
            )) WITH ORDINALITY
            AS d (id, conversation_id, sender_id, session_id, client_id, digest,
                  message_type, body, media_url, reply_to, lookup, names, ordinal)
    ), judged AS (
        SELECT d.*, u.first_name, u.last_name, c.last_seq, c.position, c.edited_position, c.kind,
            CASE
                WHEN u.id IS NULL OR s.id IS NULL THEN 'unauthenticated'
                WHEN c.id IS NULL OR (m.user_id IS NULL AND c.is_private) THEN 'not_found'
                WHEN m.user_id IS NULL THEN 'forbidden'
                WHEN e.seq IS NOT NULL AND e.digest IS DISTINCT FROM d.digest THEN 'mismatch'
                WHEN e.seq IS NOT NULL THEN 'replayed'
                WHEN d.lookup THEN 'throttled'
                WHEN d.reply_to IS NOT NULL AND NOT d.reply_to BETWEEN 1 AND c.last_seq THEN 'bad_reply'
                ELSE 'stored'
            END AS outcome,
            e.id AS e_id, e.seq AS e_seq, e.position AS e_position, e.message_type AS e_type, e.text AS e_text,
            e.media_url AS e_url, e.reply_to AS e_reply, e.sent_at AS e_sent, e.updated_at AS e_updated,
            e.deleted_at AS e_deleted
        FROM draft d
        LEFT JOIN users u ON u.id = d.sender_id AND u.is_active AND u.suspended_at IS NULL AND u.closed_at IS NULL
        LEFT JOIN login_sessions s ON s.id = d.session_id AND s.user_id = d.sender_id
            AND s.revoked_at IS NULL AND s.expires_at > v_now
        LEFT JOIN conversations c ON c.id = d.conversation_id AND c.deleted_at IS NULL
        LEFT JOIN memberships m ON m.conversation_id = d.conversation_id AND m.user_id = d.sender_id AND m.ended IS NULL
        LEFT JOIN messages e ON e.conversation_id = d.conversation_id AND e.sender_id = d.sender_id
            AND e.client_id = d.client_id
    ), numbered AS (
        SELECT j.ordinal, j.last_seq + row_number() OVER w AS new_seq, j.position + row_number() OVER w AS new_position
        FROM judged j WHERE j.outcome = 'stored'
        WINDOW w AS (PARTITION BY j.conversation_id ORDER BY j.ordinal)
    ), inserted AS (
        INSERT INTO messages AS i (conversation_id, seq, id, sender_id, created_position, position, message_type, text,
                                   media_url, client_id, digest, reply_to, sent_at, updated_at)
        SELECT j.conversation_id, n.new_seq, j.id, j.sender_id, n.new_position, n.new_position, j.message_type, j.body,
               j.media_url, j.client_id, j.digest, j.reply_to, v_now, v_now
        FROM numbered n JOIN judged j USING (ordinal)
    ), naming AS MATERIALIZED (
        SELECT j.conversation_id, n.new_seq, j.sender_id, string_to_array(j.names, '|') AS names
        FROM numbered n JOIN judged j USING (ordinal) WHERE j.names IS NOT NULL
    ), asked AS MATERIALIZED (
        -- A conversation's members are looked through once, however many messages of the batch name somebody: it is locked.
        SELECT y.conversation_id, array_agg(DISTINCT a.name) AS names
        FROM naming y CROSS JOIN LATERAL unnest(y.names) AS a (name) GROUP BY 1
    ), people AS MATERIALIZED (
        SELECT a.conversation_id, m.user_id, lower(u.first_name) AS first, lower(u.first_name || ' ' || u.last_name) AS whole
        FROM asked a
        JOIN memberships m ON m.conversation_id = a.conversation_id AND m.left_at IS NULL
        JOIN users u ON u.id = m.user_id
        WHERE lower(u.first_name) = ANY (a.names) OR lower(u.first_name || ' ' || u.last_name) = ANY (a.names)
    ), mentioned AS (
        INSERT INTO mentions (conversation_id, seq, user_id)
        SELECT y.conversation_id, y.new_seq, p.user_id
        FROM naming y JOIN people p ON p.conversation_id = y.conversation_id AND p.user_id <> y.sender_id
        WHERE p.first = ANY (y.names) OR p.whole = ANY (y.names)
        ON CONFLICT DO NOTHING
    ), moved AS (
        UPDATE conversations c
        SET last_seq = g.last_seq, position = g.position, updated_at = v_now,
            active_bucket = floor(extract(epoch FROM v_now) / 10)::int
        FROM (SELECT j.conversation_id, max(n.new_seq) AS last_seq, max(n.new_position) AS position
              FROM numbered n JOIN judged j USING (ordinal) GROUP BY 1) g
        WHERE c.id = g.conversation_id
    ), cursors AS (
        UPDATE memberships m
        SET read_seq = greatest(m.read_seq, g.last_seq), changed_bucket = floor(extract(epoch FROM v_now) / 10)::int
        FROM (SELECT j.conversation_id, j.sender_id, max(n.new_seq) AS last_seq
              FROM numbered n JOIN judged j USING (ordinal) GROUP BY 1, 2) g
        WHERE m.conversation_id = g.conversation_id AND m.user_id = g.sender_id
    )
    SELECT j.ordinal, j.outcome, coalesce(j.e_id, j.id), coalesce(j.e_seq, n.new_seq),
           coalesce(j.e_position, n.new_position), j.e_type::text, j.e_text, j.e_url::text, j.e_reply,
           coalesce(j.e_sent, v_now), coalesce(j.e_updated, v_now), j.e_deleted,
           j.first_name::text, j.last_name::text,
           CASE WHEN n.new_seq IS NULL THEN j.last_seq ELSE n.new_seq END, j.edited_position,
           -- Two rows at most, both on pages that were just looked at. Of a group they would be all its members.
           CASE WHEN n.new_seq IS NOT NULL AND j.kind = 'direct' THEN (
               SELECT array_agg(h.user_id) FROM memberships h
               WHERE h.conversation_id = j.conversation_id AND h.hidden_seq = n.new_seq - 1
           ) END
    FROM judged j LEFT JOIN numbered n USING (ordinal)
    ORDER BY j.ordinal;
END
$$;
