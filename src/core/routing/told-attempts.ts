// The attempts of this router that other routers are told of.
import type { AgedNews, AttemptNews, SentNews } from './attempt-news.ts';
import type { BookedAttempt } from './booked-attempt.ts';
import type { Outcome } from './contract.ts';

interface ToldAttempt {
  readonly sent: SentNews;
  readonly sentSeconds: number;
  firstByteSeconds: number | undefined;
}

/** Makes the news, and keeps what is in flight for who begins to listen later. */
export class ToldAttempts {
  readonly #tell: (news: AttemptNews) => void;
  /** As many as this router has in flight. */
  readonly #inFlight = new Map<BookedAttempt, ToldAttempt>();
  #next = 0;

  constructor(tell: (news: AttemptNews) => void) {
    this.#tell = tell;
  }

  sent(booked: BookedAttempt, nowSeconds: number): void {
    const { pick, request } = booked;
    const sent: SentNews = {
      kind: 'sent',
      attempt: this.#next++,
      url: pick.endpoint.url,
      promptTokens: request.promptTokens,
      cachedTokens: pick.cachedTokens,
      stream: request.stream,
      blocks: pick.chain,
    };
    this.#inFlight.set(booked, { sent, sentSeconds: nowSeconds, firstByteSeconds: undefined });
    this.#tell(sent);
  }

  firstByte(booked: BookedAttempt, nowSeconds: number): void {
    const told = this.#inFlight.get(booked);
    if (told === undefined) return;
    told.firstByteSeconds = nowSeconds;
    this.#tell({ kind: 'firstByte', attempt: told.sent.attempt });
  }

  finished(booked: BookedAttempt, outcome: Outcome): void {
    const told = this.#inFlight.get(booked);
    if (told === undefined) return;
    this.#inFlight.delete(booked);
    this.#tell({ ...outcome, kind: 'finished', attempt: told.sent.attempt });
  }

  /** What is in flight, in the order in which it was told. */
  *snapshot(nowSeconds: number): Generator<AgedNews> {
    for (const { sent, sentSeconds, firstByteSeconds } of this.#inFlight.values()) {
      yield { news: sent, agoSeconds: nowSeconds - sentSeconds };
      if (firstByteSeconds === undefined) continue;
      const news = { kind: 'firstByte', attempt: sent.attempt } as const;
      yield { news, agoSeconds: nowSeconds - firstByteSeconds };
    }
  }
}
