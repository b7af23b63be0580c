/**
 * Runs clients for tests in Python: a command a line on stdin, a reply or an event a line on stdout, each as JSON.
 *
 * {"id": 1, "do": "open", "chat": "ada", "options": {…}, "stores": "FOLDER"} makes a client; its stores are files in
 * the folder, so that another process continues where this one was killed. {"do": "call", "method": …, "args": […]}
 * calls it, {"do": "get", "name": …} reads from it, {"do": "timing", "to": {…}} shortens waits, {"do": "network",
 * "name": "offline"} is what a browser reports, and {"do": "watch", "name": CONVERSATION} reports what a page shows.
 */

import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Chat, ChatError, TokensInMemory, type ChatOptions, type OutboxStore, type Stored } from "../src/index.ts";
import { timing } from "../src/timing.ts";
import type { Pair, TokenStore } from "../src/tokens.ts";

type Command = {
  id: number;
  do: "open" | "call" | "get" | "timing" | "network" | "watch";
  chat: string;
  options: ChatOptions;
  stores?: string;
  method: string;
  name: string;
  args: unknown[];
  to: Partial<typeof timing>;
};

class TokensInFile implements TokenStore {
  readonly #file: string;
  readonly #memory = new TokensInMemory();

  constructor(folder: string) {
    this.#file = join(folder, "tokens.json");
  }

  load(): Pair | null {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8")) as Pair | null;
    } catch {
      return null;
    }
  }

  save(pair: Pair | null): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(pair));
    renameSync(`${this.#file}.new`, this.#file);
  }

  lock<T>(action: () => Promise<T>): Promise<T> {
    return this.#memory.lock(action);
  }
}

class OutboxInFiles implements OutboxStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  load(user: string): Stored[] {
    const folder = join(this.#folder, user);
    mkdirSync(folder, { recursive: true });
    return readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Stored);
  }

  save(user: string, client_id: string, stored: Stored | null): void {
    const file = join(this.#folder, user, client_id);
    if (stored === null) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify(stored));
  }
}

/** As the window of a browser. */
const network = new EventTarget();
Object.assign(globalThis, {
  addEventListener: network.addEventListener.bind(network),
  removeEventListener: network.removeEventListener.bind(network),
});

const chats = new Map<string, Chat>();
const tokens = new Map<string, TokenStore>();

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function open({ chat: name, options, stores }: Command): void {
  const chat = new Chat({
    ...options,
    ...(stores !== undefined && { tokens: tokensIn(stores), outbox: new OutboxInFiles(stores) }),
  });
  chat.subscribe((event) => write({ chat: name, event, state: chat.state }));
  chats.set(name, chat);
}

/** Reports at each event which messages a page would show: those of the conversation, and the pending ones below. */
function watch(name: string, chat: Chat, conversation: string): void {
  chat.subscribe((event) => {
    if (event.type !== "message" && event.type !== "pending") return;
    const all = [...chat.messages(conversation), ...chat.pending(conversation)];
    write({ chat: name, shown: all.map((one) => one.client_id) });
  });
}

/** Clients with the same folder share their tokens, as tabs do. */
function tokensIn(folder: string): TokenStore {
  const store = tokens.get(folder) ?? new TokensInFile(folder);
  tokens.set(folder, store);
  return store;
}

async function run(command: Command): Promise<unknown> {
  if (command.do === "open") return open(command);
  if (command.do === "timing") return Object.assign(timing, command.to);
  if (command.do === "network") return network.dispatchEvent(new Event(command.name));
  const chat = chats.get(command.chat);
  if (chat === undefined) throw new Error(`There is no client ${command.chat}.`);
  if (command.do === "get") {
    const value = Reflect.get(chat, command.name, chat) as unknown;
    return value instanceof Map ? Object.fromEntries(value) : value;
  }
  if (command.do === "watch") return watch(command.chat, chat, command.name);
  const method = Reflect.get(chat, command.method, chat) as (...args: unknown[]) => unknown;
  return method.apply(chat, command.args);
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  void run(command).then(
    (value) => write({ id: command.id, value: value ?? null }),
    (error: Error) => {
      if (!(error instanceof ChatError)) write({ log: String(error.stack) });
      write({ id: command.id, error: { ...error, message: error.message, name: error.name } });
    },
  );
}
process.exit(0);
