/** How long the client waits, in seconds: the numbers of docs/realtime.md. Tests shorten them. */
export const timing = {
  open: 10,
  hello: 20,
  /** One attempt to send over the socket. */
  answer: 5,
  /** A REST response, and the answers to other frames. */
  rest: 10,
  /** Between two pings; `hello` names the server's own. */
  heartbeat: 20,
  /** Without any frame after a ping the socket is given up. */
  silence: 30,
  firstReconnect: 0.5,
  longestReconnect: 30,
  /** More after 4429. */
  tooMany: 5,
  /** A socket that lasted this long was no failure. */
  steady: 10,
  firstRetry: 0.1,
  longestRetry: 2,
  /** The next attempt to load a page that is older than what the client knows. */
  stale: 0.2,
  typing: 3,
  goodbye: 3,
};

/** The part of an access token's lifetime that is left when it is renewed. */
export const RENEWAL_MARGIN = 0.2;

/** Conversations in one `resume`: with positions of any length they fit into a frame of 128 KiB. */
export const RESUMED_TOGETHER = 2_000;

/** Resolves after `seconds`, or at once when `signal` is aborted. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", done);
  });
}
