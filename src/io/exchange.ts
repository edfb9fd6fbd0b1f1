// One request and the way back to its client, whichever version of HTTP carries it: what the
// listeners hand to whoever tells its story, and what an answer is written to.
import type { Writable } from 'node:stream';
import { listMembers } from '../core/http/list.ts';
import { fieldLines, type Fields, keepFields } from '../core/http/message.ts';
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
  /** All bytes of the request, where they are a head that may be learnt. */
  readonly head?: string | undefined;
  /** It was drawn for the log before its story began. */
  readonly drawn?: boolean;
}

/** The way back. */
export interface Reply {
  readonly headSent: boolean;
  /** Nothing can be sent any more. */
  readonly over: boolean;
  /** Sends an answer whose body is here, or that has none. Throws where it cannot be sent. */
  send(answer: Answer, body: Uint8Array | undefined): void;
  /**
   * Sends the head of one whose body is still to come. False where no byte of it may follow. Throws
   * where it cannot be sent.
   */
  stream(answer: Answer): boolean;
  /** Takes that body; `close` comes after every answer, `finish` before it where it went out. */
  readonly out: Writable;
  /** Called before the body's end. */
  trailers(fields: Fields): void;
  /** Calls back once the answer has gone out, or will not any more. */
  whenOver(callback: () => void): void;
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

/** For a way back that Node keeps open: when that is over, sent or not. */
export function whenClosed(out: Writable, callback: () => void): void {
  if (out.writableFinished || out.destroyed) return callback();
  let called = false;
  const once = (): void => {
    if (!called) callback();
    called = true;
  };
  out.once('finish', once);
  out.once('close', once);
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

/**
 * What a 103 (RFC 8297) says; none where nothing of it is a link of a plain form: a hint that
 * cannot be read is only a hint.
 */
export function hintsOf(fields: Fields): { links: string[]; others: Fields } | undefined {
  const links = fieldLines(fields, 'link').flatMap((line) => listMembers(line) ?? [])
    .filter((one) => LINK.test(one));
  const others = keepFields(fields, (name) => name !== 'link' && name !== 'content-length');
  return links.length === 0 ? undefined : { links, others };
}

const LINK = /^<[^<>]*>(?:\s*;\s*[^;"\s]+(?:=(?:"[^;"\s]*"|[^;"\s]*))?)*$/;

// RFC 9110 §6.5.1: framing, routing, authentication and the like mean nothing in trailers, and are
// not to be merged by whoever reads us.
export const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding', 'content-length', 'host', 'connection', 'trailer', 'te', 'upgrade', 'age',
  'cache-control', 'content-encoding', 'content-type', 'content-range', 'expires', 'location',
  'set-cookie', 'vary', 'www-authenticate',
]);
