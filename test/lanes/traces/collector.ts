// A real OpenTelemetry Collector that prints what it receives, and its output as spans.
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../src/io/processes/index.ts';
import { until } from '../../support/until.ts';

/** A span as the collector's exporter `debug` prints it. */
interface PrintedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly events: number;
}

export class Collector {
  readonly grpc: string;
  readonly http: string;
  readonly #process: ChildProcess;
  #output = '';

  private constructor(process: ChildProcess, grpc: number, http: number) {
    this.#process = process;
    this.grpc = `127.0.0.1:${grpc}`;
    this.http = `http://127.0.0.1:${http}`;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  /** @param folder Where its configuration is written. */
  static async start(folder: string): Promise<Collector> {
    const [grpc = 0, http = 0] = await freePorts(2);
    const config = {
      receivers: {
        otlp: {
          protocols: {
            grpc: { endpoint: `127.0.0.1:${grpc}` },
            http: { endpoint: `127.0.0.1:${http}` },
          },
        },
      },
      exporters: { debug: { verbosity: 'detailed' } },
      service: {
        telemetry: { metrics: { level: 'none' } },
        pipelines: { traces: { receivers: ['otlp'], exporters: ['debug'] } },
      },
    };
    const file = join(folder, 'collector.yaml');
    writeFileSync(file, JSON.stringify(config));
    const program = process.env['OTELCOL'] ?? '';
    const child = spawn(program, ['--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    const collector = new Collector(child, grpc, http);
    await until(() => {
      if (child.exitCode !== null) throw new Error(`the collector ended:\n${collector.#output}`);
      return collector.#output.includes('Everything is ready');
    });
    return collector;
  }

  /** Waits for spans. @param isEnough Whether these are all that the test needs. */
  async spans(isEnough: (spans: readonly PrintedSpan[]) => boolean): Promise<PrintedSpan[]> {
    let spans: PrintedSpan[] = [];
    await until(() => {
      spans = parse(this.#output);
      return isEnough(spans);
    });
    return spans;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

function parse(output: string): PrintedSpan[] {
  return output
    .split(/^(?=.*ResourceSpans #\d)/m)
    .slice(1)
    .flatMap((resource) => {
      const service = /service\.name: Str\((.*)\)/.exec(resource)?.[1] ?? '';
      return resource
        .split(/^Span #\d+$/m)
        .slice(1)
        .map((text) => {
          const field = (name: string) =>
            new RegExp(`^ {4}${name} *: ?(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
          const [own = ''] = text.split(/^Events:$/m);
          const attributes = [...own.matchAll(/^ {5}-> ([\w.]+): \w+\((.*)\)$/gm)];
          return {
            ...{ service, name: field('Name'), kind: field('Kind') },
            ...{ traceId: field('Trace ID'), id: field('ID'), parentId: field('Parent ID') },
            attributes: new Map(attributes.map(([, key = '', value = '']) => [key, value])),
            events: text.match(/^SpanEvent #/gm)?.length ?? 0,
          };
        });
    });
}
