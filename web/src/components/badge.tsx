type BadgeProps = { count: number; most?: number; look?: "" | "strong" | "danger"; label: string };

/** A count in a pill, nothing for 0. `label` says it in words. */
export function Badge({ count, most = 99, look = "", label }: BadgeProps) {
  if (count <= 0) return null;
  return (
    <span class={`badge ${look}`}>
      <span aria-hidden="true">{count > most ? `${most}+` : count}</span>
      <span class="unseen">{label}</span>
    </span>
  );
}
