// Those who read and write through an instance, as requests that come in at its front door, and
// what they are told. A dead instance tells them nothing.
import { enter } from '../../src/flow/enter.ts';
import type { Fields } from '../../src/core/http/message.ts';
import type { ByteStream, Incoming } from '../../src/flow/ports.ts';
import type { Instance } from './instance.ts';

/** Item to version, as a body shows it. */
export type Shown = ReadonlyMap<number, number>;

export interface Told {
  readonly status: number;
  readonly verdict: string;
  /** Undefined where the body broke off. */
  readonly shown: Shown | undefined;
}

const BODY = Buffer.from('{}');
/** Of those who wait for their answer, whatever happens. */
export const NEVER = new AbortController().signal;

export interface Asking {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly gone?: AbortSignal;
}

/** `head`: called when the first of the answer is known, before its body has been read. */
export function ask(
  { host, gateway }: Instance,
  { method, path, gone = NEVER }: Asking,
  { head, end }: { head: (status: number, fields: Fields) => void; end: (told: Told) => void },
): void {
  const incoming: Incoming = {
    id: 'request', method, target: path, scheme: 'http', authority: 'sim.test',
    peer: '192.0.2.1', remote: '192.0.2.1', peerTrusted: false, httpVersion: '1.1',
    fields: method === 'PUT'
      ? ['Host', 'sim.test', 'Content-Type', 'application/json', 'Content-Length', '2']
      : ['Host', 'sim.test'],
    body: method === 'PUT' ? bodyOf(BODY) : undefined,
    gone, inform: () => undefined,
  };
  host.enter(() => {
    enter(gateway, incoming).then(async ({ answer, verdict }) => {
      head(answer.status, answer.fields);
      const shown = await shownBy(answer.body).catch(() => undefined);
      const because = verdict.kind === 'write' ? verdict.outcome : verdict.because;
      end({ status: answer.status, verdict: `${verdict.kind} ${because}`, shown });
    }, (error: unknown) => {
      throw error;
    });
  });
}

async function shownBy(body: Uint8Array | ByteStream | undefined): Promise<Shown | undefined> {
  if (body === undefined) return undefined;
  let text = '';
  if (body instanceof Uint8Array) {
    text = textOf(body);
  } else {
    for await (const chunk of body) text += textOf(chunk);
  }
  const shown = new Map<number, number>();
  for (const part of text.split(',')) {
    const [item, version] = part.split(':');
    if (version !== undefined) shown.set(Number(item), Number(version));
  }
  return shown;
}

const DECODER = new TextDecoder();
const textOf = (bytes: Uint8Array): string => DECODER.decode(bytes);

async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
