/** Joins, exits and changed roles, as lines between the messages of a group. */

import type { Member, Person } from "@chat/client";

export type LineKind = "joined" | "added" | "left" | "removed" | "promoted" | "demoted";
export type MemberLine = { key: string; at: string; kind: LineKind; user: Person; by: Person | null };

const KINDS: ReadonlySet<string> = new Set(["joined", "added", "left", "removed", "promoted", "demoted"]);

export class MemberLines {
  #lines = new Map<string, MemberLine>();
  #ordered: readonly MemberLine[] | null = null;

  get lines(): readonly MemberLine[] {
    this.#ordered ??= [...this.#lines.values()].sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
    return this.#ordered;
  }

  /** An event. `now` is the time of the newest message held: a changed role carries no time of its own. */
  happened(what: string, member: Member, now: string): void {
    if (!KINDS.has(what)) return this.#renamed(member.user);
    const kind = what as LineKind;
    const at = kind === "joined" || kind === "added" ? member.joined_at : (member.left_at ?? now);
    this.#put({ key: keyOf(kind, member.user.id, at), at, kind, user: member.user, by: member.by });
  }

  /** A member's row, read later: it has the last join, and the exit if there was one. `began`: the group's creation. */
  known(member: Member, began: string): void {
    if (member.joined_at > began && !this.#has("joined", member.user.id, member.joined_at)) {
      this.#put({ key: keyOf("joined", member.user.id, member.joined_at), at: member.joined_at, kind: "joined", user: member.user, by: null });
    }
    if (member.left_at) {
      const kind = member.by ? "removed" : "left";
      this.#put({ key: keyOf(kind, member.user.id, member.left_at), at: member.left_at, kind, user: member.user, by: member.by });
    }
  }

  #has(kind: LineKind, user: string, at: string): boolean {
    return this.#lines.has(keyOf(kind, user, at));
  }

  #put(line: MemberLine): void {
    this.#lines.set(line.key, line);
    this.#ordered = null;
  }

  #renamed(user: Person): void {
    for (const line of this.#lines.values()) {
      if (line.user.id === user.id) this.#put({ ...line, user });
      else if (line.by?.id === user.id) this.#put({ ...line, by: user });
    }
  }
}

/** A join and its addition by an admin are one line, as are an exit and a removal. */
function keyOf(kind: LineKind, user: string, at: string): string {
  const family = kind === "added" ? "joined" : kind === "removed" ? "left" : kind;
  return `line ${family} ${user} ${at}`;
}
