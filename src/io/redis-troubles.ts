// What can be wrong with a Redis, by what it or the connection says. Gives messages only: an error
// itself carries the command with its arguments, a password too.
import { ReplyError } from 'ioredis';
import type { Script } from './redis-lua.ts';

export type RedisTrouble =
  | 'unreachable' | 'timeout' | 'auth' | 'not-primary' | 'moved' | 'cluster-down' | 'loading'
  | 'out-of-memory' | 'too-old' | 'evicts' | 'newer-format' | 'not-replicated' | 'not-guarded'
  | 'refused' | 'other-rules' | 'internal';

export type Tell = (because: RedisTrouble, message: string) => void;

const ACL = /^NOPERM\b|\bACL failure in script\b|The user executing the script can't/;

export function reasonOf(error: unknown): RedisTrouble {
  const message = messageOf(error);
  if (/timed out|timeout|ETIMEDOUT/i.test(message)) return 'timeout';
  if (/\b(?:WRONGPASS|NOAUTH|NOPERM)\b|invalid password|AUTH/.test(message)) return 'auth';
  if (ACL.test(message)) return 'auth';
  if (message.startsWith('READONLY')) return 'not-primary';
  if (/^(?:MOVED|ASK|TRYAGAIN)\b/.test(message)) return 'moved';
  if (message.startsWith('CLUSTERDOWN')) return 'cluster-down';
  if (/^(?:LOADING|MASTERDOWN|BUSY)\b/.test(message)) return 'loading';
  if (message.startsWith('OOM')) return 'out-of-memory';
  if (message.startsWith('NEWER')) return 'newer-format';
  if (message.startsWith('NOREPLICAS')) return 'not-replicated';
  return error instanceof ReplyError ? 'refused' : 'unreachable';
}

/** With the command's name, never its arguments, where the user may not run it. */
export function messageOf(error: unknown, script?: Script): string {
  if (!(error instanceof Error)) return 'unknown error';
  // A cluster of which no node could be asked tells why the last one couldn't.
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) {
    return messageOf(error.lastNodeError);
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const message = error.message === '' ? code ?? error.name : error.message;
  if (/maxRetriesPerRequest/.test(message)) return 'the connection was closed';
  if (/^Unknown RESP type|^Protocol error/.test(message)) {
    return 'what answers there is no Redis: is it the right port?';
  }
  if (!ACL.test(message)) return message;
  const command = script === undefined
    ? commandOf(error) : `${script.name}: ${calledIn(script, message)}`;
  return command === undefined ? message : `${message} (${command})`;
}

function commandOf(error: Error): string | undefined {
  if (!('command' in error) || typeof error.command !== 'object') return undefined;
  const { name } = error.command as { readonly name?: unknown };
  return typeof name === 'string' ? name : undefined;
}

/** Some servers say only in which line of a script it stands. */
function calledIn({ lua }: Script, message: string): string {
  const line = Number(/user_script:(\d+)/.exec(message)?.[1] ?? 0);
  const called = /redis\.call\('(\w+)'/.exec(lua.split('\n')[line - 1] ?? '')?.[1];
  return called?.toLowerCase() ?? 'the ACL LOG of the server says which';
}

/** What another connection may not say: that is the one to reconnect for, and to look anew. */
export function isElsewhere(error: Error): boolean {
  const because = reasonOf(error);
  return because === 'not-primary' || because === 'moved' || because === 'cluster-down';
}
