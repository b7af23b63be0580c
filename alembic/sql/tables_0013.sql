-- Invites, and the invite that a registration waiting for its activation came with.
CREATE TABLE invites (
    digest bytea NOT NULL,
    max_uses integer NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    note varchar(200) DEFAULT '' NOT NULL,
    email_digest varchar(32),
    created_by uuid,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    id uuid NOT NULL,
    CONSTRAINT pk_invites PRIMARY KEY (id),
    CONSTRAINT ck_invites_uses CHECK (uses BETWEEN 0 AND max_uses),
    CONSTRAINT fk_invites_created_by_users FOREIGN KEY (created_by) REFERENCES users (id)
);
CREATE UNIQUE INDEX uq_invites_digest ON invites (digest);
CREATE INDEX ix_invites_expires_at ON invites (expires_at);

ALTER TABLE registrations
    ADD COLUMN invite_id uuid,
    ADD CONSTRAINT fk_registrations_invite_id_invites
        FOREIGN KEY (invite_id) REFERENCES invites (id) ON DELETE CASCADE;
CREATE INDEX ix_registrations_invite_id ON registrations (invite_id) WHERE invite_id IS NOT NULL;
