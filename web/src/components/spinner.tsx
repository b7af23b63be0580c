/** `label`: what is awaited, for screen readers. Without one it is decoration. */
export function Spinner({ label, large = false }: { label?: string; large?: boolean }) {
  const look = large ? "spinner l" : "spinner";
  return label ? (
    <span role="status">
      <span class={look} aria-hidden="true" />
      <span class="unseen">{label}</span>
    </span>
  ) : (
    <span class={look} aria-hidden="true" />
  );
}
