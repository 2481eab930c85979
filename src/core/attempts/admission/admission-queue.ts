// The requests of one model that wait for an engine, in the order in which they are admitted: by priority,
// then fairly among owners, then by arrival.

/** A request as the queue orders it. */
export interface QueuedRequest {
  /** Lower values are admitted first, as in vLLM. */
  readonly priority: number;
  /** Whose request it is: within a priority, owners get equal shares of the work. */
  readonly owner: string;
  /** Its share of the work, in tokens. */
  readonly cost: number;
}

/** The place of a request in the queue. */
export class QueuePlace<T extends QueuedRequest> {
  readonly request: T;
  readonly sinceSeconds: number;
  /** The requests of its owner; undefined once it has left. */
  line: Line<T> | undefined;
  /** Its neighbours there. */
  before: QueuePlace<T> | undefined = undefined;
  after: QueuePlace<T> | undefined = undefined;

  constructor(request: T, sinceSeconds: number, line: Line<T>) {
    this.request = request;
    this.sinceSeconds = sinceSeconds;
    this.line = line;
  }
}

/** The requests of one owner at one priority, in order of arrival. */
interface Line<T extends QueuedRequest> {
  readonly owner: string;
  first: QueuePlace<T> | undefined;
  last: QueuePlace<T> | undefined;
  length: number;
  /** Work admitted for the owner; a new owner starts at that of the owner served last. */
  served: number;
}

/** All requests of one priority. */
interface Level<T extends QueuedRequest> {
  readonly priority: number;
  /** By owner; none is empty. */
  readonly lines: Map<string, Line<T>>;
  /** Entry n has the lines with n requests. */
  readonly byLength: Set<Line<T>>[];
  size: number;
  /** Work served to the owner served last, before that. */
  served: number;
}

/** Its bound is the caller's: see `lastToServe`. */
export class AdmissionQueue<T extends QueuedRequest> {
  /** Most urgent first; none is empty. */
  readonly #levels: Level<T>[] = [];
  /** In order of arrival. */
  readonly #places = new Set<QueuePlace<T>>();

  get size(): number {
    return this.#places.size;
  }

  /** Number of owners, counted once for each priority. */
  get owners(): number {
    return this.#levels.reduce((sum, { lines }) => sum + lines.size, 0);
  }

  /** All places, in order of arrival. */
  [Symbol.iterator](): IterableIterator<QueuePlace<T>> {
    return this.#places.values();
  }

  add(request: T, nowSeconds: number): QueuePlace<T> {
    const level = this.#levelOf(request.priority);
    const { owner } = request;
    let line = level.lines.get(owner);
    if (line === undefined) {
      line = { owner, first: undefined, last: undefined, length: 0, served: level.served };
      level.lines.set(owner, line);
    }
    const place = new QueuePlace(request, nowSeconds, line);
    place.before = line.last;
    if (line.last === undefined) line.first = place;
    else line.last.after = place;
    line.last = place;
    this.#places.add(place);
    resize(level, line, 1);
    return place;
  }

  /** Removes and returns the next request; undefined if the queue is empty. */
  take(): QueuePlace<T> | undefined {
    const level = this.#levels[0];
    if (level === undefined) return undefined;
    let least: Line<T> | undefined;
    for (const line of level.lines.values()) {
      if (least === undefined || line.served < least.served) least = line;
    }
    const line = least as Line<T>;
    const place = line.first as QueuePlace<T>;
    level.served = Math.max(level.served, line.served);
    line.served += place.request.cost;
    this.remove(place);
    return place;
  }

  /** Removes a request that will not be admitted. @returns Whether it was in the queue. */
  remove(place: QueuePlace<T>): boolean {
    const { line, before, after, request } = place;
    if (line === undefined) return false;
    place.line = undefined;
    this.#places.delete(place);
    if (before === undefined) line.first = after;
    else before.after = after;
    if (after === undefined) line.last = before;
    else after.before = before;
    const at = this.#levels.findIndex(({ priority }) => priority === request.priority);
    const level = this.#levels[at] as Level<T>;
    resize(level, line, -1);
    if (line.length === 0) level.lines.delete(line.owner);
    if (level.size === 0) this.#levels.splice(at, 1);
    return true;
  }

  /** About how many requests are admitted before one that joins now. */
  ahead({ priority, owner }: Pick<T, 'priority' | 'owner'>): number {
    let count = 0;
    for (const level of this.#levels) {
      if (level.priority > priority) break;
      if (level.priority < priority) count += level.size;
      else {
        const own = level.lines.get(owner);
        const owners = own === undefined ? level.lines.size + 1 : level.lines.size;
        count += Math.min(level.size, ((own?.length ?? 0) + 1) * owners - 1);
      }
    }
    return count;
  }

  /**
   * The request that gives way to a new one if the queue is full: the newest of the owner with the most
   * requests, at the least urgent priority. Undefined if that would be the new one.
   */
  lastToServe({ priority, owner }: Pick<T, 'priority' | 'owner'>): QueuePlace<T> | undefined {
    const level = this.#levels.at(-1);
    if (level === undefined || level.priority < priority) return undefined;
    const longest = level.byLength.length - 1;
    if (level.priority === priority && (level.lines.get(owner)?.length ?? 0) + 1 >= longest) {
      return undefined;
    }
    const [line] = level.byLength[longest] as Set<Line<T>>;
    return line?.last;
  }

  /** Number of requests by priority, most urgent first. */
  byPriority(): { readonly priority: number; readonly requests: number }[] {
    return this.#levels.map(({ priority, size }) => ({ priority, requests: size }));
  }

  #levelOf(priority: number): Level<T> {
    const at = this.#levels.findIndex((level) => level.priority >= priority);
    const found = this.#levels[at];
    if (found?.priority === priority) return found;
    const level: Level<T> = {
      ...{ priority, lines: new Map(), byLength: [new Set()], size: 0, served: 0 },
    };
    this.#levels.splice(at < 0 ? this.#levels.length : at, 0, level);
    return level;
  }
}

function resize<T extends QueuedRequest>(level: Level<T>, line: Line<T>, by: 1 | -1): void {
  const { byLength } = level;
  level.size += by;
  byLength[line.length]?.delete(line);
  line.length += by;
  if (line.length === byLength.length) byLength.push(new Set());
  if (line.length > 0) byLength[line.length]?.add(line);
  while (byLength.length > 1 && byLength.at(-1)?.size === 0) byLength.pop();
}
