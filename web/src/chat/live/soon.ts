/**
 * Runs `update` once for all calls until the next frame. A hidden page gets no frames, so a timer bounds the wait:
 * its title still counts unread messages.
 */
export function soon(update: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => {
      if (!waiting) return;
      waiting = false;
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      update();
    };
    const frame = requestAnimationFrame(run);
    const timer = setTimeout(run, HIDDEN_MS);
  };
}

const HIDDEN_MS = 200;
