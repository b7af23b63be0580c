/** HTTP requests: each has a deadline, and a refusal by the server becomes an error with the reason. */

import { Refused, Throttled, Unreachable, type FieldError } from "./errors.ts";
import { timing } from "./timing.ts";

const API = "api/v1/";

export type Query = Record<string, string | number | boolean | undefined>;
export type Call = { access?: string; body?: unknown; query?: Query; signal?: AbortSignal };
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class Rest {
  readonly #base: string;
  readonly #fetch: Fetch;

  /** `url` is the server's base URL, with or without a slash at its end. */
  constructor(url: string, fetch: Fetch) {
    this.#base = url.replace(/\/*$/, "/");
    this.#fetch = fetch;
  }

  /**
   * Sends a request and returns the decoded body, or undefined if it is empty. `path` is without `/api/v1`.
   *
   * @throws Unreachable without a response in time; Refused and Throttled; the reason of `signal` once it is aborted.
   */
  async call(method: string, path: string, { access, body, query, signal }: Call = {}): Promise<unknown> {
    const url = new URL(API + path.replace(/^\//, ""), this.#base);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = { Accept: "application/json" };
    if (access) headers["Authorization"] = `Bearer ${access}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const deadline = AbortSignal.timeout(timing.rest * 1000);
    const init: RequestInit = {
      method,
      headers,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      credentials: "omit",
      cache: "no-store",
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(url.href, init);
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw new Unreachable(`${method} ${path}: no response`, { cause: error });
    }
    const decoded = parsed(text);
    if (!response.ok) throw refusal(response, decoded);
    if (decoded === undefined && text) throw new Unreachable(`${method} ${path}: the response is not of the chat`);
    return decoded;
  }
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function refusal(response: Response, decoded: unknown): Refused {
  const problem = (typeof decoded === "object" && decoded !== null ? decoded : {}) as {
    code?: string;
    detail?: string;
    errors?: FieldError[];
  };
  const wait = response.headers.get("Retry-After") ?? "";
  const retryAfter = /^\d+$/.test(wait) ? Number(wait) : 0;
  const { status } = response;
  if (status === 429) {
    const policy = /^"?([\w-]+)/.exec(response.headers.get("RateLimit") ?? "")?.[1] ?? "requests";
    return new Throttled(policy, Math.max(retryAfter, 1), problem.detail, status);
  }
  // A response from elsewhere, such as a proxy's error page, has no code.
  const code = problem.code ?? (status >= 500 ? "unavailable" : "refused");
  return new Refused(code, problem.detail ?? response.statusText, { status, errors: problem.errors ?? [], retryAfter });
}
