// The migration of one streamed response: what its request needs so that another engine can continue it.
import type { Continuation, ContinuationLoss } from '../../../core/attempts/index.ts';
import {
  askingStart,
  type FollowedStream,
  followStream,
  includesUsage,
  type MigrationRefusal,
  restAfterStart,
  type StreamFault,
  type StreamKind,
  type StreamMemory,
  type StreamPlan,
  type TextTokens,
  type UsualEvents,
  withTokenIds,
} from '../../../core/migration/index.ts';
import type { RequestFields } from '../../../core/protocol/index.ts';
import type { ResponseHead } from '../../../io/http/index.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import { isEventStream } from './proxy-heads.ts';
import type { SentBody } from './sent-body.ts';

/** What all streams of a router share. */
export interface MigrationContext {
  readonly isOn: boolean;
  readonly memory: StreamMemory;
  readonly usual: UsualEvents;
  /** Streams whose engine failed, by what became of them, and why. */
  readonly counter: RouterMetrics['migrations'];
}

/**
 * Why a stream cannot move. `off`: by settings. `route`: its API has no means. `ids`: its client asks for no token
 * ids. `response`: it is no stream of events, or not chunked.
 */
export type Refusal = MigrationRefusal | 'off' | 'route' | 'ids' | 'response';

/** The tokens of a request with events that have names. */
export type TokensOf = (kind: NamedStreamKind, body: Buffer) => TextTokens | undefined;

/** How a stream can move; or why it cannot. */
export type MigrationPlan = StreamPlan | Refusal;

/** Larger bodies are not copied; they could not be continued either. */
const bodyBytesMax = 1024 * 1024;

/** @param kind What the route streams; undefined if its streams cannot move. */
export function migrationPlan(
  context: MigrationContext,
  kind: StreamKind | undefined,
  { returnsTokenIds }: Pick<RequestFields, 'returnsTokenIds'>,
  bodyBytes: number,
): MigrationPlan {
  if (!context.isOn) return 'off';
  if (kind === undefined) return 'route';
  const named = namedKindOf(kind);
  if (returnsTokenIds === false && named === undefined) return 'ids';
  if (bodyBytes > bodyBytesMax) return 'large';
  if (kind === 'messages' || kind === 'responses') return plans[kind];
  return plans[kind][returnsTokenIds === undefined ? 'hidden' : 'shown'];
}

type NamedStreamKind = Extract<StreamKind, 'messages' | 'responses'>;

/** The kind of a stream whose engines report no token ids. */
export function namedKindOf(kind: StreamKind): NamedStreamKind | undefined {
  return kind === 'messages' || kind === 'responses' ? kind : undefined;
}

const planOf = (kind: 'chat' | 'completion') => ({
  hidden: { kind, hidesIds: true },
  shown: { kind, hidesIds: false },
});
const plans = {
  chat: planOf('chat'),
  completion: planOf('completion'),
  messages: { kind: 'messages', hidesIds: false },
  responses: { kind: 'responses', hidesIds: false },
} as const;

export class StreamMigration {
  readonly #context: MigrationContext;
  readonly #stream: FollowedStream | undefined;
  readonly #hidesIds: boolean;
  readonly #namedKind: NamedStreamKind | undefined;
  #refusal: Refusal | undefined = undefined;
  /** What `leave` found; undefined once more has arrived. */
  #found: Continuation | undefined = undefined;
  /** The request for the rest of the response. */
  #next: { readonly body: Buffer; readonly sentTokens: number } | undefined = undefined;
  #closing: Buffer | undefined = undefined;
  /** Why the last engine was left; undefined once the next one has continued. */
  #cause: string | undefined = undefined;

  constructor(context: MigrationContext, plan: MigrationPlan) {
    this.#context = context;
    this.#hidesIds = typeof plan !== 'string' && plan.hidesIds;
    this.#namedKind = typeof plan === 'string' ? undefined : namedKindOf(plan.kind);
    if (typeof plan === 'string') this.#refusal = plan;
    else this.#stream = followStream(plan, context.memory, context.usual);
  }

  /**
   * The request as an engine gets it: it asks for what a continuation needs, or is one.
   *
   * @param mayAsk Whether the engine takes what vLLM does; others refuse requests with unknown members.
   */
  body(original: Buffer, mayAsk: boolean): SentBody {
    if (this.#next !== undefined) return { start: '', rest: this.#next.body };
    if (!this.#hidesIds || !mayAsk) return { start: '', rest: original };
    const rest = original.subarray(restAfterStart(original));
    return { start: askingStart, rest, asksTokenIds: true };
  }

  /** Whether the bytes of the response pass through `take`. */
  get isFollowed(): boolean {
    return this.#refusal === undefined;
  }

  /** Tokens of the response that the next engine gets with its prompt. */
  get sentTokens(): number {
    return this.#next?.sentTokens ?? 0;
  }

  /** Events that complete the response, if only they were missing. */
  get closing(): Buffer | undefined {
    return this.#closing;
  }

  /** Tokens of the whole response, if several engines have written it and they are known. */
  get tokens(): number | undefined {
    return this.#stream?.isContinued ? this.#stream.shownTokens || undefined : undefined;
  }

  /** The response is passed on as it is. */
  refuse(): void {
    this.#refusal ??= 'response';
  }

  /** Looks at the head of a response, which may turn out not to be a stream. */
  begin(head: ResponseHead, clientMinorVersion: number): void {
    const { status, framing } = head;
    if (status === 200 && isEventStream(head) && framing === 'chunked' && clientMinorVersion === 1)
      return;
    this.refuse();
  }

  /** @returns What the client gets of a read; undefined for nothing. */
  take(bytes: Buffer, isBetweenChunks: boolean, isEnd: boolean): Buffer | undefined {
    this.#found = undefined;
    const taken = (this.#stream as FollowedStream).take(bytes, isBetweenChunks, isEnd);
    if (this.#cause !== undefined && taken !== undefined) this.#moved();
    if (taken === undefined) return undefined;
    return taken === bytes ? bytes : Buffer.from(taken.buffer, taken.byteOffset, taken.length);
  }

  /** Whether what `take` got last were usual events only, none of which reports an error. */
  get isUsual(): boolean {
    return this.#stream?.isUsual === true;
  }

  /** How the engine ended the stream early, if it did. */
  get fault() {
    return this.#stream?.fault;
  }

  /** The engine has ended the stream early, and no other one can continue. @returns What is to be passed on. */
  release(): Buffer | undefined {
    // Only what is relayed by whole events can move.
    this.refuse();
    const withheld = this.#stream?.release();
    return withheld && Buffer.from(withheld.buffer);
  }

  /**
   * The engine has failed.
   *
   * @param original The request as it arrived.
   * @param tokensOf The tokens of its texts; undefined if the router has no tokenizer.
   */
  leave(original: Buffer, cause: string, tokensOf?: TokensOf): Continuation {
    this.#found ??= this.#find(original, cause, tokensOf);
    return this.#found;
  }

  #find(original: Buffer, cause: string, tokensOf: TokensOf | undefined): Continuation {
    if (this.#refusal !== undefined) {
      this.#count('declined', this.#refusal);
      return 'impossible';
    }
    const stream = this.#stream as FollowedStream;
    const closing = stream.closing(includesUsage(original));
    if (closing !== undefined) {
      this.#closing = Buffer.from(closing);
      this.#count('completed', cause);
      return 'complete';
    }
    const body = this.#hidesIds ? withTokenIds(original) : original;
    const next = stream.continuation(
      body,
      this.#namedKind && tokensOf?.(this.#namedKind, original),
    );
    if (typeof next === 'string') {
      this.#count('declined', next);
      return 'impossible';
    }
    if (!this.#context.memory.resizeRequest(this.#nextBytes, next.body.length)) {
      this.#count('declined', 'transcript');
      return 'impossible';
    }
    this.#cause = cause;
    this.#next = { body: Buffer.from(next.body), sentTokens: next.sentTokens };
    return 'possible';
  }

  /** The request is being sent; after `leave`, the one for the rest. */
  sent(): void {
    if (this.#next !== undefined) this.#stream?.continueAt();
  }

  /** Number of the next event of a response; undefined if it is not known. */
  get eventNumber(): number | undefined {
    return this.#stream?.eventNumber;
  }

  /** The response is complete. */
  ended(tokensOf: TokensOf, original: Buffer): void {
    const inputTokens = this.#stream?.inputTokens;
    if (inputTokens === undefined || this.#namedKind === undefined) return;
    tokensOf(this.#namedKind, original)?.prove(inputTokens);
  }

  get #nextBytes(): number {
    return this.#next?.body.length ?? 0;
  }

  lost(why: ContinuationLoss | StreamFault['kind']): void {
    this.#count('failed', why);
    this.#cause = undefined;
  }

  close(): void {
    this.#context.memory.resizeRequest(this.#nextBytes, 0);
    this.#next = undefined;
    this.#stream?.close();
  }

  #moved(): void {
    this.#count('moved', this.#cause as string);
    this.#cause = undefined;
  }

  #count(outcome: string, reason: string): void {
    this.#context.counter.with({ outcome, reason }).inc();
  }
}
