// An API with logins, made of what many are made of: Express with express-session and Passport, by
// cookie (passport-local) and by token (passport-http-bearer), from npm as they are.
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';

interface Request {
  readonly body: { name?: string; text?: string };
  readonly user?: { readonly name: string };
  readonly headers: Readonly<Record<string, string | undefined>>;
  isAuthenticated(): boolean;
  logout(done: (error: unknown) => void): void;
}

interface Response {
  status(code: number): Response;
  json(value: unknown): void;
}

type Next = (error?: unknown) => void;
type Handler = (request: Request, response: Response, next: Next) => unknown;

interface App extends RequestListener {
  use(...handlers: unknown[]): void;
  get(path: string, ...handlers: unknown[]): void;
  post(path: string, ...handlers: unknown[]): void;
}

interface Passport {
  use(strategy: unknown): void;
  initialize(): unknown;
  session(): unknown;
  authenticate(name: string, options?: object): Handler;
  serializeUser(how: (user: { name: string }, done: Done) => void): void;
  deserializeUser(how: (name: string, done: Done) => void): void;
}

type Done = (error: unknown, value?: unknown) => void;
const take = createRequire(import.meta.url);

export interface SessionApi {
  readonly app: RequestListener;
  /** Who read `/unread`, by the upstream's own word, and whether it was a refresh. */
  readonly read: { readonly name: string; readonly again: boolean }[];
  /** Ends all sessions and tokens of somebody, as an operator might. */
  readonly revoke: (name: string) => void;
}

/** Everybody's password is the name. */
export function sessionApi(): SessionApi {
  const express = take('express') as (() => App) & { json(): unknown };
  const session = take('express-session') as (options: object) => unknown;
  const { Passport } = take('passport') as { Passport: new () => Passport };
  const { Strategy: Local } = take('passport-local') as { Strategy: new (how: unknown) => unknown };
  const { Strategy: Bearer } =
    take('passport-http-bearer') as { Strategy: new (how: unknown) => unknown };
  const passport = new Passport();
  const tokens = new Map<string, string>();
  const gone = new Set<string>();
  const unread = new Map<string, string[]>();
  const read: SessionApi['read'] = [];

  passport.use(new Local((name: string, password: string, done: Done) =>
    done(null, password === name ? { name } : false)));
  passport.use(new Bearer((token: string, done: Done) => {
    const name = tokens.get(token);
    done(null, name === undefined ? false : { name });
  }));
  passport.serializeUser(({ name }, done) => done(null, name));
  passport.deserializeUser((name, done) => done(null, gone.has(name) ? false : { name }));

  const app = express();
  app.use(express.json());
  app.use(session({ secret: randomUUID(), resave: false, saveUninitialized: false }));
  app.use(passport.initialize(), passport.session());
  const bearer = passport.authenticate('bearer', { session: false });
  const known: Handler = (request, response, next) =>
    (request.isAuthenticated() ? next() : bearer(request, response, next));
  const list = (name: string): string[] => {
    if (!unread.has(name)) unread.set(name, []);
    return unread.get(name)!;
  };

  app.post('/login', passport.authenticate('local'), (({ user }, response) => {
    const token = randomUUID();
    tokens.set(token, user!.name);
    response.json({ token });
  }) satisfies Handler);
  app.post('/logout', known, ((request, response, next) => {
    gone.delete(request.user!.name);
    request.logout((error) => (error ? next(error) : response.json({ over: true })));
  }) satisfies Handler);
  app.get('/unread', known, (({ user, headers }, response) => {
    read.push({ name: user!.name, again: headers['everfresh-refresh'] === '1' });
    response.json({ name: user!.name, unread: list(user!.name) });
  }) satisfies Handler);
  app.post('/messages', known, (({ body }, response) => {
    for (const messages of unread.values()) messages.push(body.text!);
    response.status(201).json({});
  }) satisfies Handler);
  app.post('/unread/read', known, (({ user }, response) => {
    unread.set(user!.name, []);
    response.json({});
  }) satisfies Handler);
  return {
    app,
    read,
    revoke(name) {
      gone.add(name);
      for (const [token, of] of tokens) if (of === name) tokens.delete(token);
    },
  };
}
