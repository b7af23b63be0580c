import type { ComponentChildren } from "preact";

/** A part of a section of the settings, with a heading of its own. */
export function Part({ title, intro, children }: { title: string; intro?: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h3>{title}</h3>
      {intro && <p class="muted">{intro}</p>}
      {children}
    </section>
  );
}
