// Addresses of host names for connections. The system's resolver takes two questions at a time for the whole process (libuv's limit for
// slow work): one name whose name server is silent would hold up all others, and each connection would add to the queue.
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';

/** Time after which a connection goes to the last addresses of its host. */
const patienceMs = 250;
/** Time after which name servers are asked without the system's resolver, which may be busy with other names. */
const directMs = 1_000;
/** Time for such a question; the deadline of a connection is that of `UpstreamLimits`. */
const directTimeoutMs = 2_000;
/** Hosts whose last addresses are kept; the one that was asked for longest ago is forgotten. There are 4,096 engines at most. */
const hostsMax = 8_192;

type Answer = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

interface Question {
  /** Empty once it is answered, while the system's resolver is still at it. */
  waiters: Answer[];
  timer: NodeJS.Timeout | undefined;
}

export interface HostLookupsOptions {
  /** @default the system's */
  readonly lookup?: (host: string, answer: Answer) => void;
  /** Asks name servers directly. @default those of the system */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

/**
 * One question per host at a time. While it is open, connections to a known host use its last addresses, and other name servers are
 * asked directly, which does without search domains and the hosts file. A host that no longer exists is forgotten; a failure
 * of the resolver is not taken for that.
 */
export class HostLookups {
  readonly #lookup: (host: string, answer: Answer) => void;
  readonly #resolve: (host: string) => Promise<readonly LookupAddress[]>;
  readonly #open = new Map<string, Question>();
  readonly #known = new Map<string, readonly LookupAddress[]>();

  constructor({ lookup = askSystem, resolve = askServers }: HostLookupsOptions = {}) {
    this.#lookup = lookup;
    this.#resolve = resolve;
  }

  /** For `net.connect`. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    this.find(host, (error, addresses) => {
      const fitting = addresses.filter(
        ({ family }) => !options.family || family === options.family,
      );
      const [first] = fitting;
      if (options.all) callback(error, [...fitting]);
      else callback(error, first?.address ?? '', first?.family);
    });
  };

  find(host: string, answer: Answer): void {
    let isAnswered = false;
    const once: Answer = (error, addresses) => {
      clearTimeout(patience);
      if (isAnswered) return;
      isAnswered = true;
      answer(error, addresses);
    };
    const patience = setTimeout(() => {
      const known = this.#known.get(host);
      if (known !== undefined) once(null, known);
    }, patienceMs).unref();
    const open = this.#open.get(host);
    const question = open ?? { waiters: [], timer: undefined };
    question.waiters.push(once);
    question.timer ??= setTimeout(() => this.#askDirectly(host, question), directMs).unref();
    if (open !== undefined) return;
    this.#open.set(host, question);
    this.#lookup(host, (error, addresses) => {
      this.#open.delete(host);
      this.#settle(host, question, error, addresses);
    });
  }

  #askDirectly(host: string, question: Question): void {
    this.#resolve(host).then(
      (addresses) => {
        question.timer = undefined;
        if (addresses.length > 0) this.#settle(host, question, null, addresses);
      },
      () => {
        // The system's resolver decides what a failure is.
        question.timer = undefined;
      },
    );
  }

  #settle(
    host: string,
    question: Question,
    error: NodeJS.ErrnoException | null,
    addresses: readonly LookupAddress[],
  ): void {
    clearTimeout(question.timer);
    question.timer = undefined;
    const known = this.#known.get(host);
    this.#known.delete(host);
    const isGone = error?.code === 'ENOTFOUND';
    const latest = error === null ? addresses : isGone ? undefined : known;
    if (latest !== undefined) this.#known.set(host, latest);
    if (this.#known.size > hostsMax) {
      this.#known.delete(this.#known.keys().next().value as string);
    }
    for (const answer of question.waiters.splice(0)) {
      if (latest === undefined) answer(error, []);
      else answer(null, latest);
    }
  }
}

function askSystem(host: string, answer: Answer): void {
  systemLookup(host, { all: true }, (error, addresses) => answer(error, addresses ?? []));
}

async function askServers(host: string): Promise<readonly LookupAddress[]> {
  const resolver = new Resolver({ timeout: directTimeoutMs, tries: 1 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return found.flatMap((result, i) =>
    result.status === 'rejected'
      ? []
      : result.value.map((address) => ({ address, family: i === 0 ? 4 : 6 })),
  );
}

/** Those of all connections of this process. */
export const hostLookups = new HostLookups();
