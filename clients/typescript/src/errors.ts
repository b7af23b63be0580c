/**
 * The errors of the client.
 *
 * ChatError
 * ├── Unreachable      no response in time: the outcome of the request is unknown
 * ├── Refused          the server rejected the request and gave the reason
 * │   └── Throttled    too many requests; says how long to wait. Nothing was stored
 * ├── LoginEnded       there is no login, or it has ended
 * └── OutboxFull       too many messages wait to be sent
 */

/** One invalid field of a request. */
export type FieldError = { field: string; message: string };

/** Codes after which the same request may succeed. */
const AGAIN: ReadonlySet<string> = new Set([
  "unavailable", "database_unavailable", "busy", "overloaded", "internal", "outcome_unknown", "request_timeout",
  "too_many_connections",
]);

/** Codes that require a new access token. */
const LOGIN: ReadonlySet<string> = new Set(["not_authenticated", "invalid_token", "login_ended"]);

export class ChatError extends Error {
  override name = "ChatError";
}

export class Unreachable extends ChatError {
  override name = "Unreachable";
}

export class LoginEnded extends ChatError {
  override name = "LoginEnded";
}

export class OutboxFull extends ChatError {
  override name = "OutboxFull";
}

type More = { status?: number; errors?: readonly FieldError[]; retryAfter?: number };

/**
 * `status` is the HTTP status, 0 for an answer over the socket. `code` is stable, `detail` a sentence for people,
 * `errors` names the invalid fields, and `retryAfter` is in seconds, 0 if the server gave none.
 */
export class Refused extends ChatError {
  override name = "Refused";
  readonly code: string;
  readonly detail: string;
  readonly status: number;
  readonly errors: readonly FieldError[];
  readonly retryAfter: number;

  constructor(code: string, detail: string, { status = 0, errors = [], retryAfter = 0 }: More = {}) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. An unknown code of a newer server is judged by its status. */
  get mayPass(): boolean {
    return AGAIN.has(this.code) || this.status >= 500;
  }

  /** Whether the request needs a new access token. */
  get needsLogin(): boolean {
    return LOGIN.has(this.code);
  }
}

/** `policy` names the throttle; `requests` if the server did not say. */
export class Throttled extends Refused {
  override name = "Throttled";
  readonly policy: string;

  constructor(policy: string, retryAfter: number, detail = `Wait ${retryAfter} s (${policy}).`, status = 0) {
    super("throttled", detail, { status, retryAfter });
    this.policy = policy;
  }
}
