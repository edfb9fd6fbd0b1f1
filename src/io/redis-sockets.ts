// The sockets to Redis. A TLS socket whose certificate was refused can fail a second time, when the
// other side complains; ioredis hears only the first failure, and the second one would end the
// process. So every socket is opened here, and its later failures are heard as well.
import assert from 'node:assert';
import { createConnection, Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { AbstractConnector, type Redis, type RedisOptions, SentinelConnector } from 'ioredis';

export interface Node {
  readonly host: string;
  readonly port: number;
}

export type Connector = NonNullable<RedisOptions['Connector']>;

type Stream = Socket | TLSSocket;

const DISCONNECT_MS_MAX = 2000;

/** Connects to whatever is found just then, so that connecting again finds what has moved. */
export function connectorTo(find: (options: RedisOptions) => Promise<Node>): Connector {
  return class extends AbstractConnector {
    readonly #options: RedisOptions;

    constructor(options: unknown) {
      super(DISCONNECT_MS_MAX);
      this.#options = options as RedisOptions;
    }

    async connect(): Promise<Stream> {
      this.connecting = true;
      delete this.firstError;
      const { tls } = this.#options;
      try {
        const node = await find(this.#options);
        if (!this.connecting) return nowhere();
        const stream = tls ? tlsConnect({ ...node, ...tls }) : createConnection(node);
        this.stream = heard(stream, (error) => void (this.firstError ??= error));
        return this.stream;
      } catch (error) {
        // Thrown, it would end the client for good; this way it tries again in its own time.
        this.firstError = error instanceof Error ? error : new Error(String(error));
        return nowhere();
      }
    }
  };
}

/** To the address that the client was given. */
export const Direct: Connector = connectorTo(({ host = 'localhost', port = 6379, family }) =>
  Promise.resolve({ host, port, ...(family === undefined ? {} : { family }) }));

/** As ioredis asks sentinels, over sockets of ours, to them as well as to the primary. */
export class ToPrimary extends SentinelConnector {
  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
    const inner = this as unknown as { connectToSentinel(node: Node, more?: object): Redis };
    assert(typeof inner.connectToSentinel === 'function', 'ioredis opens its sentinels here');
    const open = inner.connectToSentinel.bind(this);
    inner.connectToSentinel = (node, more) => open(node, { ...more, Connector: Direct });
  }

  override async connect(...emit: Parameters<SentinelConnector['connect']>): Promise<Stream> {
    return heard(await super.connect(...emit), () => undefined);
  }
}

function heard<S extends Stream>(stream: S, failed: (error: Error) => void): S {
  stream.on('error', failed);
  return stream;
}

function nowhere(): Socket {
  return new Socket().destroy();
}
