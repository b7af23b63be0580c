type AvatarProps = {
  /** What the colour follows from: the id of a person or conversation. */
  id: string;
  name: string;
  size?: "s" | "m" | "l";
  group?: boolean;
  online?: boolean;
};

const COLOURS = 8;

/** Initials on a colour. The name stands beside it wherever it is shown, so screen readers skip it. */
export function Avatar({ id, name, size = "m", group, online }: AvatarProps) {
  return (
    <span class={`avatar ${size} c${colourOf(id)}${group ? " group" : ""}`} aria-hidden="true">
      {initials(name)}
      {online && <span class="presence" />}
    </span>
  );
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => [...new Intl.Segmenter().segment(word ?? "")][0]?.segment ?? "").join("").toUpperCase();
}

function colourOf(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum % COLOURS;
}
