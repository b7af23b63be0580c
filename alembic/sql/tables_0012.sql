-- All tables, columns and indexes that follow release 1.0.0.
--
-- The migration is one transaction: `users` and `memberships` are locked from their first change here until it commits,
-- and requests that need them fail after their lock_timeout. No index is built concurrently, because that would wait for
-- other deploys that migrate, which wait for this one.

-- Accounts
ALTER TABLE users
    ADD COLUMN credentials integer DEFAULT 0 NOT NULL,
    ADD COLUMN version integer DEFAULT 0 NOT NULL,
    ADD COLUMN told_version integer DEFAULT 0 NOT NULL,
    ADD COLUMN told_through uuid,
    ADD COLUMN teller_until timestamptz,
    ADD COLUMN who_may_add varchar(9) DEFAULT 'everybody' NOT NULL,
    ADD CONSTRAINT ck_users_who_may_add CHECK (who_may_add IN ('everybody', 'contacts', 'nobody'));
CREATE INDEX ix_users_untold ON users (id) WHERE version > told_version;

-- Mails, registrations, mailed tokens, second factors
CREATE TABLE mails (
    kind varchar(20) NOT NULL,
    address varchar(254) NOT NULL,
    user_id uuid,
    registration_id uuid,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    due_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    claimed_at timestamptz,
    attempts integer DEFAULT 0 NOT NULL,
    outcome varchar(20),
    settled_at timestamptz,
    id uuid NOT NULL,
    CONSTRAINT pk_mails PRIMARY KEY (id),
    CONSTRAINT fk_mails_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_mails_due_at ON mails (due_at) WHERE outcome IS NULL;
CREATE INDEX ix_mails_settled_at ON mails (settled_at) WHERE outcome IS NOT NULL;
CREATE INDEX ix_mails_user_id ON mails (user_id);

CREATE TABLE registrations (
    email varchar(254) NOT NULL,
    first_name varchar(100) NOT NULL,
    last_name varchar(100) NOT NULL,
    password_hash varchar(255) NOT NULL,
    expires_at timestamptz NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT pk_registrations PRIMARY KEY (id)
);
CREATE INDEX ix_registrations_email_lower ON registrations (lower(email));
CREATE INDEX ix_registrations_expires_at ON registrations (expires_at);

CREATE TABLE mailed_tokens (
    digest bytea NOT NULL,
    purpose varchar(10) NOT NULL,
    user_id uuid,
    registration_id uuid,
    email varchar(254) DEFAULT '' NOT NULL,
    credentials integer DEFAULT 0 NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_mailed_tokens PRIMARY KEY (digest),
    CONSTRAINT ck_mailed_tokens_purpose CHECK (purpose IN ('activation', 'password', 'email', 'login')),
    CONSTRAINT fk_mailed_tokens_user_id_users FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_mailed_tokens_registration_id_registrations
        FOREIGN KEY (registration_id) REFERENCES registrations (id) ON DELETE CASCADE
);
CREATE INDEX ix_mailed_tokens_expires_at ON mailed_tokens (expires_at);
CREATE INDEX ix_mailed_tokens_registration_id ON mailed_tokens (registration_id);
CREATE INDEX ix_mailed_tokens_user_id ON mailed_tokens (user_id);

CREATE TABLE second_factors (
    user_id uuid NOT NULL,
    sealed_secret bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_second_factors PRIMARY KEY (user_id),
    CONSTRAINT fk_second_factors_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, digest),
    CONSTRAINT fk_recovery_codes_user_id_second_factors
        FOREIGN KEY (user_id) REFERENCES second_factors (user_id) ON DELETE CASCADE
);

-- Notifications
CREATE TABLE subscriptions (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    level varchar(8) DEFAULT 'all' NOT NULL,
    muted_until timestamptz,
    mails boolean DEFAULT true NOT NULL,
    decided_seq bigint DEFAULT 0 NOT NULL,
    mailed_seq bigint DEFAULT 0 NOT NULL,
    mailed_at timestamptz,
    mail_due_at timestamptz,
    CONSTRAINT pk_subscriptions PRIMARY KEY (conversation_id, user_id),
    CONSTRAINT ck_subscriptions_level CHECK (level IN ('all', 'mentions', 'none')),
    CONSTRAINT fk_subscriptions_conversation_id_conversations
        FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_subscriptions_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
) WITH (fillfactor = 80);
CREATE INDEX ix_subscriptions_mail_due_at ON subscriptions (mail_due_at) WHERE mail_due_at IS NOT NULL;
CREATE INDEX ix_subscriptions_user_id ON subscriptions (user_id);

CREATE TABLE mentions (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT pk_mentions PRIMARY KEY (conversation_id, seq, user_id),
    CONSTRAINT fk_mentions_conversation_id_conversations FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_mentions_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE notifications (
    user_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    kind varchar(7) NOT NULL,
    from_seq bigint NOT NULL,
    up_to_seq bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    read_at timestamptz,
    id uuid NOT NULL,
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT ck_notifications_kind CHECK (kind IN ('unread', 'mention')),
    CONSTRAINT fk_notifications_conversation_id_conversations
        FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_notifications_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX uq_notifications_open ON notifications (user_id, conversation_id) WHERE read_at IS NULL;
CREATE INDEX ix_notifications_user_id_id ON notifications (user_id, id);
CREATE INDEX ix_notifications_updated_at ON notifications (updated_at);

CREATE TABLE notification_decisions (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    channel varchar(4) NOT NULL,
    outcome varchar(16) NOT NULL,
    from_seq bigint NOT NULL,
    up_to_seq bigint NOT NULL,
    decided_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    mail_id uuid,
    id uuid NOT NULL,
    CONSTRAINT pk_notification_decisions PRIMARY KEY (id),
    CONSTRAINT ck_notification_decisions_channel CHECK (channel IN ('app', 'mail')),
    CONSTRAINT fk_notification_decisions_conversation_id_conversations
        FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_notification_decisions_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_notification_decisions_whose ON notification_decisions (conversation_id, user_id, up_to_seq);
CREATE INDEX ix_notification_decisions_decided_at ON notification_decisions (decided_at);
CREATE INDEX ix_notification_decisions_mail_id ON notification_decisions (mail_id) WHERE mail_id IS NOT NULL;

CREATE TABLE progress (
    name varchar(32) NOT NULL,
    bucket integer NOT NULL,
    CONSTRAINT pk_progress PRIMARY KEY (name)
);

-- Tasks that failed for good
CREATE TABLE failed_tasks (
    task varchar(100) NOT NULL,
    arguments varchar(1000) NOT NULL,
    queue varchar(50) NOT NULL,
    reason varchar(7) NOT NULL,
    error text NOT NULL,
    worker varchar(200) DEFAULT '' NOT NULL,
    attempts integer NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    first_failed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    failed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    asked_at timestamptz,
    retried_at timestamptz,
    id uuid NOT NULL,
    CONSTRAINT pk_failed_tasks PRIMARY KEY (id),
    CONSTRAINT ck_failed_tasks_reason CHECK (reason IN ('failed', 'timeout', 'lost', 'refused'))
);
CREATE UNIQUE INDEX uq_failed_tasks_open ON failed_tasks (task, arguments) WHERE retried_at IS NULL;
CREATE INDEX ix_failed_tasks_asked_at ON failed_tasks (asked_at) WHERE asked_at IS NOT NULL AND retried_at IS NULL;
CREATE INDEX ix_failed_tasks_failed_at ON failed_tasks (failed_at);

-- Throttles
CREATE TABLE throttle_policies (
    policy varchar(32) NOT NULL,
    user_id uuid,
    rate varchar(32),
    previous varchar(32) NOT NULL,
    changed_by uuid,
    changed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    changed_bucket integer NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT pk_throttle_policies PRIMARY KEY (id),
    CONSTRAINT fk_throttle_policies_changed_by_users FOREIGN KEY (changed_by) REFERENCES users (id),
    CONSTRAINT fk_throttle_policies_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX uq_throttle_policies_whose ON throttle_policies (policy, user_id) NULLS NOT DISTINCT;
CREATE INDEX ix_throttle_policies_changed_bucket ON throttle_policies (changed_bucket);

CREATE TABLE throttle_attempts (
    policy varchar(32) NOT NULL,
    period integer NOT NULL,
    hour timestamptz NOT NULL,
    subject uuid NOT NULL,
    attempts bigint NOT NULL,
    refused bigint NOT NULL,
    windows integer[] NOT NULL,
    CONSTRAINT pk_throttle_attempts PRIMARY KEY (policy, period, hour, subject)
);
CREATE INDEX ix_throttle_attempts_hour ON throttle_attempts (hour);

CREATE TABLE throttle_flights (
    id varchar(64) NOT NULL,
    minute timestamptz NOT NULL,
    CONSTRAINT pk_throttle_flights PRIMARY KEY (id)
);
CREATE INDEX ix_throttle_flights_minute ON throttle_flights (minute);

-- What operators do: the audit, which is append-only, and broadcasts
CREATE TABLE audit_log (
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    by uuid,
    action varchar(40) NOT NULL,
    subject uuid,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id)
);
CREATE INDEX ix_audit_log_at ON audit_log (at, id);
CREATE INDEX ix_audit_log_action ON audit_log (action, at, id);
CREATE INDEX ix_audit_log_by ON audit_log (by, at, id);
CREATE INDEX ix_audit_log_subject ON audit_log (subject, at, id);

CREATE FUNCTION guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < clock_timestamp() - interval '30 days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit keeps every entry for 30 days at least' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER guard_rows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION guard_audit_log();
CREATE TRIGGER guard_table BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_log();
-- Also in sessions that replay a replica's changes, where ordinary triggers do not run.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER guard_rows;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER guard_table;

CREATE TABLE broadcasts (
    title varchar(200) NOT NULL,
    text text NOT NULL,
    audience varchar(13) NOT NULL,
    conversations uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_by uuid,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    send_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    number bigint,
    sent_at timestamptz,
    canceled_at timestamptz,
    mail boolean DEFAULT false NOT NULL,
    mails_per_second integer DEFAULT 10 NOT NULL,
    mails_due_at timestamptz,
    mailed_through uuid,
    mails_planned integer DEFAULT 0 NOT NULL,
    mails_posted integer DEFAULT 0 NOT NULL,
    mails_sent integer DEFAULT 0 NOT NULL,
    mails_refused integer DEFAULT 0 NOT NULL,
    mails_unknown integer DEFAULT 0 NOT NULL,
    mails_dropped integer DEFAULT 0 NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT pk_broadcasts PRIMARY KEY (id),
    CONSTRAINT ck_broadcasts_audience CHECK (audience IN ('everybody', 'operators', 'conversations')),
    CONSTRAINT fk_broadcasts_created_by_users FOREIGN KEY (created_by) REFERENCES users (id)
);
CREATE UNIQUE INDEX uq_broadcasts_number ON broadcasts (number);
CREATE INDEX ix_broadcasts_send_at ON broadcasts (send_at) WHERE number IS NULL AND canceled_at IS NULL;
CREATE INDEX ix_broadcasts_mails_due_at ON broadcasts (mails_due_at) WHERE mails_due_at IS NOT NULL;

CREATE TABLE broadcast_cursors (
    user_id uuid NOT NULL,
    seen bigint NOT NULL,
    CONSTRAINT pk_broadcast_cursors PRIMARY KEY (user_id),
    CONSTRAINT fk_broadcast_cursors_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE broadcast_mails (
    broadcast_id uuid NOT NULL,
    user_id uuid NOT NULL,
    mail_id uuid NOT NULL,
    outcome varchar(20),
    CONSTRAINT pk_broadcast_mails PRIMARY KEY (broadcast_id, user_id),
    CONSTRAINT fk_broadcast_mails_broadcast_id_broadcasts FOREIGN KEY (broadcast_id) REFERENCES broadcasts (id),
    CONSTRAINT fk_broadcast_mails_user_id_users FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX ix_broadcast_mails_open ON broadcast_mails (broadcast_id) WHERE outcome IS NULL;

-- Changed members by position; conversations that a member has hidden; an index for each search
CREATE INDEX ix_memberships_changes ON memberships (conversation_id, position) WHERE position > 0;
DROP INDEX ix_memberships_conversation_id_position;
ALTER TABLE memberships ADD COLUMN hidden_seq bigint DEFAULT -1 NOT NULL;
CREATE INDEX ix_memberships_hidden ON memberships (user_id) WHERE hidden_seq >= 0;
CREATE INDEX ix_users_full_name_prefix ON users (lower(first_name || ' ' || last_name) text_pattern_ops);
CREATE INDEX ix_users_last_name_prefix ON users (lower(last_name) text_pattern_ops);
CREATE INDEX ix_conversations_public_name_prefix ON conversations (lower(name) text_pattern_ops)
    WHERE NOT is_private AND deleted_at IS NULL;
CREATE INDEX ix_conversations_public ON conversations (id) WHERE NOT is_private AND deleted_at IS NULL;
