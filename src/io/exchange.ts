// One request and the way back to its client, whichever version of HTTP carries it: what the
// listeners hand to whoever tells its story, and what an answer is written to.
import type { Writable } from 'node:stream';
import type { Fields } from '../core/http/message.ts';
import { originOf, plainAddress } from '../core/http/way.ts';
import type { Answer, Incoming } from '../flow/ports.ts';

/** What the listener itself knows of who asks. */
export interface Way {
  readonly id: string;
  /** Whether a peer is a proxy in front whose word about its clients is believed. */
  readonly trusts: (address: string) => boolean;
}

export interface Exchange {
  readonly fields: Fields;
  readonly reply: Reply;
  /** The request as the stories see it; asked for once. */
  incoming(way: Way): Incoming;
  /** Whether some of the request has not come yet. */
  unread(): boolean;
}

/** The way back. */
export interface Reply {
  /** Takes the body; `close` comes after every answer, `finish` before it where it went out. */
  readonly out: Writable;
  readonly headSent: boolean;
  /** Nothing can be sent any more. */
  readonly over: boolean;
  /**
   * Sends the head, at once where a body is still to come. False where no byte of one may follow.
   * Throws where it cannot be sent.
   */
  head(answer: Answer): boolean;
  /** Called before the body's end. */
  trailers(fields: Fields): void;
  /** Breaks off, so that what was sent is never taken for whole. */
  cutOff(): void;
  /** Calls back when the client has taken nothing of what waits for it for so long. */
  onStalled(ms: number, callback: () => void): void;
  /**
   * Nothing more is read from this client's connection than what is under way. What is refused of
   * one stream is no reason for that.
   */
  last(because: 'draining' | 'refused'): void;
}

/** What of an incoming request its connection says. */
export function connected(
  fields: Fields,
  { address, secure }: { address: string; secure: boolean },
  { id, trusts }: Way,
): Pick<Incoming, 'id' | 'scheme' | 'peer' | 'remote' | 'peerTrusted' | 'calledAs'> {
  const peer = plainAddress(address);
  const { remote, scheme, host } = originOf(fields, { address: peer, secure }, trusts);
  const named = host === undefined ? {} : { calledAs: host };
  return { id, peer, peerTrusted: trusts(peer), remote, scheme, ...named };
}

// RFC 9110 §6.5.1: framing, routing, authentication and the like mean nothing in trailers, and are
// not to be merged by whoever reads us.
export const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding', 'content-length', 'host', 'connection', 'trailer', 'te', 'upgrade', 'age',
  'cache-control', 'content-encoding', 'content-type', 'content-range', 'expires', 'location',
  'set-cookie', 'vary', 'www-authenticate',
]);
