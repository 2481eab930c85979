// A workload of `simulate` as live load: the prompts of a conversation contain the responses that its server gave.
import type { PromptNode, WorkloadRun } from '../../core/workload/index.ts';
import type { LoadSource } from './load-source.ts';
import type { LoadRequest, PromptPart, RequestWriter } from './request-body.ts';

/**
 * Returns the requests of a workload.
 *
 * @param options.timeScale GPU seconds per wall-clock second of the engines; the workload's times are GPU time.
 * @param options.modelOf Model of a request that needs a LoRA adapter.
 */
export function workloadLoad(
  run: WorkloadRun,
  options: {
    readonly writer: RequestWriter;
    readonly timeScale: number;
    readonly modelOf: (adapterId: number) => string;
  },
): LoadSource {
  const { source, requestsMax } = run;
  const { writer, timeScale, modelOf } = options;
  const texts = new Texts();
  const answers = new Map<number, PromptNode>();
  let count = 0;
  return {
    writer,
    requests: undefined,
    count: requestsMax,
    needsTexts: true,
    get nextSeconds() {
      return source.nextSeconds / timeScale;
    },
    // A prompt is written when it is due: it may contain a response that came just before.
    prepare: () => false,
    take() {
      const { prompt, text, adapterId, ...taken } = source.take();
      answers.set(count++, text);
      const request: LoadRequest = {
        ...taken,
        arrivalSeconds: taken.arrivalSeconds / timeScale,
        parts: texts.partsOf(prompt),
        model: adapterId === undefined ? undefined : modelOf(adapterId),
      };
      return { request, body: writer.body(request) };
    },
    ended(index, nowSeconds, text) {
      const node = answers.get(index);
      answers.delete(index);
      if (node !== undefined && text !== undefined) texts.setResponse(node, text);
      source.answered(index, nowSeconds * timeScale);
    },
  };
}

/** What the nodes of a tree of prompts say. It is forgotten with its node. */
class Texts {
  readonly #ids = new WeakMap<PromptNode, number>();
  readonly #responses = new WeakMap<PromptNode, string>();
  #nextId = 0;

  setResponse(node: PromptNode, text: string): void {
    this.#responses.set(node, text);
  }

  partsOf(prompt: PromptNode): PromptPart[] {
    const parts: PromptPart[] = [];
    for (let node: PromptNode | undefined = prompt; node?.parent; node = node.parent) {
      const response = this.#responses.get(node);
      const tokens = node.tokens - node.parent.tokens;
      parts.push(response === undefined ? { id: this.#idOf(node), tokens } : { response });
    }
    return parts.reverse();
  }

  #idOf(node: PromptNode): number {
    const known = this.#ids.get(node);
    if (known !== undefined) return known;
    const id = this.#nextId++;
    this.#ids.set(node, id);
    return id;
  }
}
