// The attempts of this router, published to peer routers.
import type { AgedUpdate, AttemptUpdate, SentUpdate } from './attempt-update.ts';
import type { BookedAttempt } from './booked-attempt.ts';
import type { Outcome } from './contract.ts';

interface PublishedAttempt {
  readonly sent: SentUpdate;
  readonly sentSeconds: number;
  firstByteSeconds: number | undefined;
}

/** Creates the updates, and keeps the attempts in flight for routers that connect later. */
export class PublishedAttempts {
  readonly #publish: (update: AttemptUpdate) => void;
  /** As many as this router has in flight. */
  readonly #inFlight = new Map<BookedAttempt, PublishedAttempt>();
  #next = 0;

  constructor(publish: (update: AttemptUpdate) => void) {
    this.#publish = publish;
  }

  sent(booked: BookedAttempt, nowSeconds: number): void {
    const { pick, request } = booked;
    const sent: SentUpdate = {
      kind: 'sent',
      attempt: this.#next++,
      url: pick.endpoint.url,
      promptTokens: request.promptTokens,
      cachedTokens: pick.cachedTokens,
      stream: request.stream,
      blocks: pick.chain,
    };
    this.#inFlight.set(booked, { sent, sentSeconds: nowSeconds, firstByteSeconds: undefined });
    this.#publish(sent);
  }

  firstByte(booked: BookedAttempt, nowSeconds: number): void {
    const published = this.#inFlight.get(booked);
    if (published === undefined) return;
    published.firstByteSeconds = nowSeconds;
    this.#publish({ kind: 'firstByte', attempt: published.sent.attempt });
  }

  /** @param isBroken See `FinishedUpdate.broke`. */
  finished(booked: BookedAttempt, outcome: Outcome, isBroken: boolean): void {
    const published = this.#inFlight.get(booked);
    if (published === undefined) return;
    this.#inFlight.delete(booked);
    const { attempt } = published.sent;
    this.#publish({ ...outcome, kind: 'finished', attempt, ...(isBroken && { broke: true }) });
  }

  /** The attempts in flight, in the order in which they were published. */
  *snapshot(nowSeconds: number): Generator<AgedUpdate> {
    for (const { sent, sentSeconds, firstByteSeconds } of this.#inFlight.values()) {
      yield { update: sent, agoSeconds: nowSeconds - sentSeconds };
      if (firstByteSeconds === undefined) continue;
      const update = { kind: 'firstByte', attempt: sent.attempt } as const;
      yield { update, agoSeconds: nowSeconds - firstByteSeconds };
    }
  }
}
