/**
 * A long list of which only the rows in view exist. The row at the top of the view keeps its place, whatever is put in
 * above it or turns out to be higher than estimated; at the end of the list the view follows new rows.
 */

import { Component, createRef, type ComponentChildren } from "preact";
import { Heights } from "./heights";
import type { Item } from "./items";

type Props = {
  /** Receives the scroller, for `show`, `toEnd` and `step`. */
  handle: { current: Scroller | null };
  items: readonly Item[];
  row: (item: Item) => ComponentChildren;
  label: string;
  /** The first rows are near: older ones are wanted. */
  onNearBeginning: () => void;
  /** After each move: whether the end is in view, and the last row in view. */
  onMoved: (atEnd: boolean, last: Item | undefined) => void;
};

type Anchor = { key: string; delta: number };

/** Pixels rendered above and below the view, so that a fast scroll shows no blank. */
const BEYOND = 700;
/** Pixels from the first row at which older messages are loaded. */
const NEAR = 2_000;
const AT_END = 32;
/** Measured rows may bring others into view; more rounds than this only happen if heights never settle. */
const ROUNDS = 5;

export class Scroller extends Component<Props> {
  #outer = createRef<HTMLDivElement>();
  #inner = createRef<HTMLDivElement>();
  #rows = createRef<HTMLDivElement>();
  #heights = new Heights();
  #arranged: readonly Item[] | null = null;
  #from = 0;
  #to = 0;
  #width = 0;
  #height = 600;
  #anchor: Anchor | null = null;
  #atEnd = true;
  #focused = false;
  #rounds = 0;
  #observer: ResizeObserver | null = null;

  override componentDidMount(): void {
    const outer = this.#outer.current;
    const rows = this.#rows.current;
    if (!outer || !rows) return;
    this.props.handle.current = this;
    this.#observer = new ResizeObserver(() => this.#resized());
    this.#observer.observe(outer);
    this.#observer.observe(rows);
    this.#width = outer.clientWidth;
    this.#height = outer.clientHeight;
    this.setState({});
  }

  override componentWillUnmount(): void {
    this.#observer?.disconnect();
    if (this.props.handle.current === this) this.props.handle.current = null;
  }

  override componentDidUpdate(): void {
    this.#settle();
  }

  /** Brings the row into the upper part of the view; returns whether it is in the list. */
  show(key: string): boolean {
    if (this.#heights.indexOf(key) < 0) return false;
    this.#anchor = { key, delta: -Math.round(this.#height / 4) };
    this.#atEnd = false;
    this.#rounds = 0;
    this.setState({});
    return true;
  }

  /** The same, unless the whole end from this row on fits into the view. */
  showIfHidden(key: string): void {
    const at = this.#heights.offsetOf(key);
    if (at !== null && this.#heights.total - at > this.#height) this.show(key);
  }

  toEnd(): void {
    this.#atEnd = true;
    this.#rounds = 0;
    this.setState({});
  }

  focus(): void {
    this.#outer.current?.focus({ preventScroll: true });
  }

  /** Moves the focus to the row `by` rows away from the focused one, or to the last row in view. */
  step(by: number): void {
    const outer = this.#outer.current;
    if (!outer) return;
    const focused = document.activeElement?.closest("[data-key]")?.getAttribute("data-key");
    const last = this.#heights.at(outer.scrollTop + this.#height - 8);
    let at = focused ? this.#heights.indexOf(focused) + by : last;
    while (at >= 0 && at < this.props.items.length && !isMessage(this.props.items[at])) at += Math.sign(by) || -1;
    const key = this.#heights.keyAt(at);
    if (key === undefined || !isMessage(this.props.items[at])) return;
    const top = this.#heights.offset(at);
    const bottom = this.#heights.offset(at + 1);
    if (top < outer.scrollTop) outer.scrollTop = top - 8;
    else if (bottom > outer.scrollTop + this.#height) outer.scrollTop = bottom - this.#height + 8;
    this.#scrolled();
    requestAnimationFrame(() => this.#element(key)?.focus({ preventScroll: true }));
  }

  render({ items, row, label }: Props): ComponentChildren {
    if (this.#arranged !== items) {
      this.#heights.arrange(items);
      this.#arranged = items;
      this.#rounds = 0;
    }
    this.#choose(this.#wanted());
    return (
      <div
        ref={this.#outer}
        class="timeline"
        role="region"
        aria-label={label}
        tabIndex={0}
        onScroll={() => this.#scrolled()}
        onFocusIn={() => (this.#focused = true)}
        onFocusOut={(event: FocusEvent) => (this.#focused = event.relatedTarget === null && !document.hasFocus())}
      >
        <div ref={this.#inner} class="timeline-height">
          <div ref={this.#rows} class="timeline-rows">
            {items.slice(this.#from, this.#to).map(row)}
          </div>
        </div>
      </div>
    );
  }

  /** Where the view should begin. */
  #wanted(): number {
    if (this.#atEnd) return Math.max(0, this.#heights.total - this.#height);
    const at = this.#anchor && this.#heights.offsetOf(this.#anchor.key);
    const top = at !== null && this.#anchor ? at + this.#anchor.delta : (this.#outer.current?.scrollTop ?? 0);
    return Math.max(0, Math.min(top, this.#heights.total - this.#height));
  }

  #choose(top: number): boolean {
    const from = this.#heights.at(top - BEYOND);
    const to = Math.min(this.#heights.count, this.#heights.at(top + this.#height + BEYOND) + 1);
    const changed = from !== this.#from || to !== this.#to;
    this.#from = from;
    this.#to = to;
    return changed;
  }

  /** After a render: measures the rows, moves them to their place and the view to where it should be. */
  #settle(): void {
    const outer = this.#outer.current;
    const inner = this.#inner.current;
    const rows = this.#rows.current;
    if (!outer || !inner || !rows) return;
    const heights = new Map<string, number>();
    for (const child of rows.children) {
      const key = child.getAttribute("data-key");
      if (key !== null) heights.set(key, child.getBoundingClientRect().height);
    }
    const moved = this.#heights.measure(heights);
    inner.style.height = `${Math.max(this.#heights.total, this.#height)}px`;
    // A short conversation stands at the bottom, where its next message will be.
    const gap = Math.max(0, this.#height - this.#heights.total);
    rows.style.transform = `translateY(${this.#heights.offset(this.#from) + gap}px)`;
    const wanted = this.#wanted();
    if (Math.abs(outer.scrollTop - wanted) >= 1) outer.scrollTop = wanted;
    if (moved && this.#rounds < ROUNDS && this.#choose(wanted)) {
      this.#rounds += 1;
      this.setState({});
      return;
    }
    if (this.#focused && document.activeElement === document.body) this.focus();
    this.#tell();
  }

  #scrolled(): void {
    const outer = this.#outer.current;
    if (!outer) return;
    const top = outer.scrollTop;
    this.#atEnd = this.#heights.total - top - this.#height < AT_END;
    this.#anchor = this.#anchorAt(top);
    const first = this.#heights.at(top - BEYOND / 2);
    const last = this.#heights.at(top + this.#height + BEYOND / 2);
    if (first < this.#from || last >= this.#to) {
      this.#rounds = 0;
      this.setState({});
    } else this.#tell();
  }

  #resized(): void {
    const outer = this.#outer.current;
    if (!outer) return;
    // Only a row has grown, an image for example.
    if (outer.clientWidth === this.#width && outer.clientHeight === this.#height) return this.#settle();
    if (outer.clientWidth !== this.#width) {
      this.#width = outer.clientWidth;
      this.#heights.forget();
      this.#arranged = null;
    }
    this.#height = outer.clientHeight;
    this.#rounds = 0;
    this.setState({});
  }

  #tell(): void {
    const outer = this.#outer.current;
    if (!outer) return;
    if (outer.scrollTop < NEAR) this.props.onNearBeginning();
    const end = this.#heights.at(outer.scrollTop + this.#height - 1);
    this.props.onMoved(this.#atEnd, this.props.items[end]);
  }

  /** The first message in view; rows of other kinds move when older messages are put in. */
  #anchorAt(top: number): Anchor | null {
    for (let at = this.#heights.at(top); at < this.props.items.length; at += 1) {
      const item = this.props.items[at];
      if (item && isMessage(item)) return { key: item.key, delta: top - this.#heights.offset(at) };
    }
    return null;
  }

  #element(key: string): HTMLElement | null {
    for (const child of this.#rows.current?.children ?? []) {
      if (child.getAttribute("data-key") === key && child instanceof HTMLElement) return child.querySelector("article") ?? child;
    }
    return null;
  }
}

function isMessage(item: Item | undefined): boolean {
  return item?.kind === "message" || item?.kind === "pending";
}
