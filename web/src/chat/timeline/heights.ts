/**
 * Where each row of a long list stands. Rows that were on the screen have their measured height, the others an
 * estimate, so that only the rows in view need to exist.
 */

export type Sized = { key: string; estimate: number };

export class Heights {
  #measured = new Map<string, number>();
  #keys: string[] = [];
  #index = new Map<string, number>();
  #offsets = new Float64Array(1);

  /** Takes the rows in their order. Heights of rows that left the list are forgotten. */
  arrange(rows: readonly Sized[]): void {
    this.#keys = rows.map((row) => row.key);
    this.#index = new Map(this.#keys.map((key, at) => [key, at]));
    this.#offsets = new Float64Array(rows.length + 1);
    rows.forEach((row, at) => {
      this.#offsets[at + 1] = (this.#offsets[at] ?? 0) + (this.#measured.get(row.key) ?? row.estimate);
    });
    if (this.#measured.size > 2 * rows.length + 100) {
      for (const key of this.#measured.keys()) if (!this.#index.has(key)) this.#measured.delete(key);
    }
  }

  /** Takes the measured heights; returns whether any row moved. */
  measure(heights: ReadonlyMap<string, number>): boolean {
    let first = Infinity;
    for (const [key, height] of heights) {
      const at = this.#index.get(key);
      this.#measured.set(key, height);
      if (at !== undefined && Math.abs(this.#heightAt(at) - height) > 0.01) first = Math.min(first, at);
    }
    if (first === Infinity) return false;
    const before = this.#offsets.slice();
    for (let at = first; at < this.#keys.length; at += 1) {
      const known = this.#measured.get(this.#keys[at] as string);
      const height = known ?? (before[at + 1] as number) - (before[at] as number);
      this.#offsets[at + 1] = (this.#offsets[at] as number) + height;
    }
    return true;
  }

  /** Forgets all measures: the width changed, so every text breaks elsewhere. */
  forget(): void {
    this.#measured.clear();
  }

  get total(): number {
    return this.#offsets[this.#keys.length] as number;
  }

  get count(): number {
    return this.#keys.length;
  }

  offset(at: number): number {
    return this.#offsets[Math.max(0, Math.min(at, this.#keys.length))] as number;
  }

  offsetOf(key: string): number | null {
    const at = this.#index.get(key);
    return at === undefined ? null : this.offset(at);
  }

  indexOf(key: string): number {
    return this.#index.get(key) ?? -1;
  }

  keyAt(at: number): string | undefined {
    return this.#keys[at];
  }

  /** The index of the row at this height. */
  at(y: number): number {
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#offsets[middle] as number) <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  #heightAt(at: number): number {
    return (this.#offsets[at + 1] as number) - (this.#offsets[at] as number);
  }
}
