// Questions and answers between two processes of ours, as JSON: each question has an id and a
// deadline, only so many are open at once, and whatever comes is looked at before it is believed.
import type { Clock } from '../flow/ports.ts';

/** One end of a way for messages that keeps their order. */
export interface Pipe {
  /** False: the other side is gone, or did not take it. */
  send(message: object): Promise<boolean>;
  receive(callback: (message: unknown) => void): void;
}

export type Unanswered = 'gone' | 'late' | 'busy' | 'failed' | 'nonsense';

export type Heard<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'unanswered'; readonly because: Unanswered; readonly message?: string };

export interface Asked<T> {
  readonly deadlineMs: number;
  /** What an answer says; undefined where it is none. */
  readonly read: (answer: unknown) => T | undefined;
}

/** Questions that may be open at once. */
const OPEN_MAX = 256;
const MESSAGE_CHARS_MAX = 2000;

type Reply =
  | { readonly kind: 'answer'; readonly answer: unknown }
  | { readonly kind: 'unanswered'; readonly because: Unanswered; readonly message?: string };

/** The side that asks. */
export class Asking {
  readonly #pipe: Pipe;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #open = new Map<number, (reply: Reply) => void>();
  #asked = 0;
  #gone = false;

  constructor(pipe: Pipe, clock: Pick<Clock, 'after'>) {
    this.#pipe = pipe;
    this.#clock = clock;
    pipe.receive((message) => this.#hear(message));
  }

  async ask<T>(question: object, { deadlineMs, read }: Asked<T>): Promise<Heard<T>> {
    if (this.#gone) return { kind: 'unanswered', because: 'gone' };
    if (this.#open.size >= OPEN_MAX) return { kind: 'unanswered', because: 'busy' };
    const reply = await this.#reply(question, deadlineMs);
    if (reply.kind === 'unanswered') return reply;
    const value = read(reply.answer);
    return value === undefined
      ? { kind: 'unanswered', because: 'nonsense' }
      : { kind: 'answered', value };
  }

  /** The other side has ended: nothing that is open will be answered. */
  end(): void {
    this.#gone = true;
    for (const settle of [...this.#open.values()]) {
      settle({ kind: 'unanswered', because: 'gone' });
    }
  }

  #reply(question: object, deadlineMs: number): Promise<Reply> {
    const id = this.#asked++;
    return new Promise((resolve) => {
      const settle = (reply: Reply): void => {
        forget();
        this.#open.delete(id);
        resolve(reply);
      };
      const late = (): void => settle({ kind: 'unanswered', because: 'late' });
      const forget = this.#clock.after(deadlineMs, late);
      this.#open.set(id, settle);
      void this.#pipe.send({ id, question }).then((sent) => {
        if (!sent) settle({ kind: 'unanswered', because: 'gone' });
      });
    });
  }

  #hear(message: unknown): void {
    if (!isObject(message) || typeof message['id'] !== 'number') return;
    const settle = this.#open.get(message['id']); // none: it came too late
    if (settle === undefined) return;
    const { failed } = message;
    if (typeof failed === 'string') {
      const said = failed.slice(0, MESSAGE_CHARS_MAX);
      return settle({ kind: 'unanswered', because: 'failed', message: said });
    }
    settle(Object.hasOwn(message, 'answer')
      ? { kind: 'answer', answer: message['answer'] }
      : { kind: 'unanswered', because: 'nonsense' });
  }
}

/** Ends a question without an answer; its message is told to the side that asked. */
export class Failed extends Error {
  override readonly name = 'Failed';
}

export interface Answering {
  /** Gives back what can stand in JSON. */
  readonly answer: (question: unknown) => Promise<unknown>;
  /** Told of what `answer` throws, but for what is `Failed`. */
  readonly fault: (error: unknown) => void;
}

/** The side that answers: questions are begun in the order in which they come. */
export function answerAll(pipe: Pipe, { answer, fault }: Answering): void {
  let open = 0;
  pipe.receive((message) => {
    if (!isObject(message) || typeof message['id'] !== 'number') return;
    const { id, question } = message;
    const reply = async (): Promise<object> => {
      if (open > OPEN_MAX) return { id, failed: 'too much is asked at once' };
      try {
        return { id, answer: (await answer(question)) ?? null };
      } catch (error) {
        if (!(error instanceof Failed)) fault(error);
        return { id, failed: error instanceof Error ? error.message : String(error) };
      }
    };
    open += 1;
    // Where it can't be sent, the side that asked is gone, and this one ends by itself.
    void reply().then((said) => pipe.send(said)).finally(() => {
      open -= 1;
    });
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
