// What a client has of a stream of named events, to be compared with what another engine writes: texts by their key,
// and marks that are written once.
import type { StreamMemory } from './stream-memory.ts';

interface KnownEvent {
  /** A text so far, or what a mark says. */
  text: string;
  readonly isMark: boolean;
  /** How much the engine has repeated; of a mark, whether it has. */
  at: number;
  isRepeated: boolean;
}

/** A text so far by its key, or what a mark says. */
export interface KnownEntry {
  readonly key: string;
  readonly text: string;
}

/** What an engine that repeats the stream wrote. */
export type Repetition =
  /** Nothing that the client does not have. */
  | 'had'
  /** The client gets it. */
  | 'new'
  /** It is not what the first engine wrote, or not in its order. */
  | 'diverged'
  /** The client has the text that precedes this. */
  | { readonly rest: string };

/** Memory of an entry besides its text. */
const entryBytes = 100;

/** Bound: the memory for transcripts; without room, `add` returns false. */
export class KnownEvents {
  readonly #memory: StreamMemory;
  readonly #events = new Map<string, KnownEvent>();
  #bytes = 0;
  #accounted = 0;
  /** Entries that the engine has not repeated. */
  #open = 0;

  constructor(memory: StreamMemory) {
    this.#memory = memory;
  }

  /** The client gets a text or a mark. @returns Whether there was room to keep it. */
  add(key: string, text: string, isMark: boolean): boolean {
    const known = this.#events.get(key);
    if (known === undefined) {
      this.#events.set(key, { text, isMark, at: text.length, isRepeated: true });
      this.#bytes += entryBytes + key.length;
    } else {
      known.text += text;
      known.at = known.text.length;
    }
    this.#bytes += text.length;
    if (this.#bytes <= this.#accounted) return true;
    // In steps, so that a stream does not account for each token.
    const wanted = this.#bytes + Math.min(this.#bytes, 4096);
    const isKept = this.#memory.resize(this.#accounted, wanted);
    if (isKept) this.#accounted = wanted;
    return isKept;
  }

  /** What the client has, in its order. */
  *entries(): Iterable<KnownEntry> {
    for (const [key, { text }] of this.#events) yield { key, text };
  }

  /** What a mark said; undefined if the client does not have it. */
  saidBy(key: string): string | undefined {
    return this.#events.get(key)?.text;
  }

  /** An engine begins to repeat. */
  repeatAll(): void {
    for (const known of this.#events.values()) {
      known.at = 0;
      known.isRepeated = !known.isMark && known.text === '';
    }
    this.#open = [...this.#events.values()].filter(({ isRepeated }) => !isRepeated).length;
  }

  /** Whether all that the client has was repeated. */
  get isWhole(): boolean {
    return this.#open === 0;
  }

  /** The engine writes a mark. */
  repeatMark(key: string, says: string): Repetition {
    const known = this.#events.get(key);
    if (known === undefined || known.isRepeated) return this.isWhole ? 'new' : 'diverged';
    if (known.text !== says) return 'diverged';
    known.isRepeated = true;
    this.#open--;
    return 'had';
  }

  /** The engine writes a part of a text. */
  repeatText(key: string, text: string): Repetition {
    const known = this.#events.get(key);
    if (known === undefined || known.isRepeated) {
      if (text === '') return this.isWhole ? 'new' : 'had';
      return this.isWhole ? 'new' : 'diverged';
    }
    const left = known.text.length - known.at;
    const isPart = text.length <= left;
    const same = isPart
      ? known.text.startsWith(text, known.at)
      : text.startsWith(known.text.slice(known.at));
    if (!same) return 'diverged';
    known.at += Math.min(left, text.length);
    if (known.at === known.text.length) {
      known.isRepeated = true;
      this.#open--;
    }
    if (isPart) return 'had';
    return this.isWhole ? { rest: text.slice(left) } : 'diverged';
  }

  /** Returns the memory. */
  close(): void {
    this.#events.clear();
    if (this.#accounted > 0) this.#memory.resize(this.#accounted, 0);
    this.#accounted = 0;
    this.#bytes = 0;
    this.#open = 0;
  }
}
