// What a write reaches, as tags: by its rule, by HTTP, by convention; wider where it cannot be
// said.
import t from 'tap';
import { type Named, reachOf, readsBodies, writeRules } from '../../src/core/plan/reach.ts';
import { rulesHash, unwatched } from '../../src/core/plan/unwatched.ts';
import type { Config } from '../../src/core/rules/config.ts';
import { compileFinder } from '../../src/core/rules/match.ts';
import { parseRules } from '../../src/core/rules/parse.ts';

function configOf(routes: object | undefined, more: object = {}): Config {
  const parsed = parseRules(
    JSON.stringify({ upstream: 'http://a', ...(routes && { routes }), ...more }), { file: 'f' },
  );
  if (parsed.kind === 'wrong') throw new Error(
    parsed.problems.map(({ message }) => message).join('\n'),
  );
  return parsed.config;
}

interface Asked {
  readonly fields?: string[];
  readonly body?: unknown;
  readonly answer?: unknown;
  readonly named?: Named;
  readonly selves?: string[];
}

function reach(config: Config, line: string, {
  fields = [], body, answer, named, selves = [],
}: Asked = {}) {
  const [method, target] = line.split(' ') as [string, string];
  const [path, query] = target.split('?', 2) as [string, string | undefined];
  const finder = compileFinder(config.routes);
  const request = { method, path, query, fields };
  const rules = writeRules(request, finder);
  return reachOf(request, rules, {
    config,
    finder,
    selfOn: () => selves,
    said: {
      requestFields: fields,
      requestBody: body === undefined ? undefined : { value: body },
      responseBody: answer === undefined ? undefined : { value: answer },
    },
    ...(named === undefined ? {} : { named }),
  });
}

const tags = (...asked: Parameters<typeof reach>): string[] => [...reach(...asked).refresh];

const READ = { GET: {} };
const ROUTES = {
  '/posts': { ...READ, POST: { refresh: ['/posts'] } },
  '/posts/:id': {
    ...READ, PUT: { refresh: ['/posts/:id', '/posts'], purge: ['/posts', '/drafts/:id'] },
    DELETE: { refresh: ['/drafts/*'] },
  },
  '/posts/latest': READ,
  '/drafts/:id': READ,
  '/users/:user/posts/:id': READ,
  '/by/:user': { PUT: { refresh: ['/users/:user/posts/*'] } },
  '/tagged': { POST: { refresh: ['tag:{request.body.tag}'] } },
  '/made': { POST: { refresh: ['/posts/{response.body.id}'] } },
  '/ended/:id': { ...READ, PUT: { purge: ['/ended/:id'] } },
  '/many': { POST: { refresh: ['/users/{request.body.u}/posts/{request.body.p}'] } },
};

t.test('a write reaches its rule’s targets and its own path', async (t) => {
  const config = configOf(ROUTES);
  const { refresh, purge, why } = reach(config, 'PUT /posts/7');
  t.same([...refresh], ['/posts/:id id=7', '/posts']);
  t.same([...purge], ['/drafts/:id id=7'], 'what is refreshed is not purged as well');
  t.equal(why.get('/posts/:id id=7'), '/posts/:id');
  t.equal(reach(config, 'PATCH /posts/7').why.get('/posts/:id id=7'), 'own-path');
  t.equal(reach(config, 'PATCH /posts/7').why.get('/posts'), 'convention');
});

t.test('a rule that only ends its own path ends it, and has nothing fetched again', async (t) => {
  const { refresh, purge } = reach(configOf(ROUTES), 'PUT /ended/7');
  t.same([[...refresh], [...purge]], [[], ['/ended/:id id=7']]);
});

t.test('the convention speaks where no rule does', async (t) => {
  t.same(tags(configOf(ROUTES), 'POST /posts/7'), ['/posts/:id id=7', '/posts']);
  t.same(tags(configOf(ROUTES, { conventions: 'off' }), 'POST /posts/7'), ['/posts/:id id=7']);
  t.same(tags(configOf(ROUTES), 'POST /posts/7/comments'), ['/posts/:id id=7']);
  t.same(tags(configOf(ROUTES), 'POST /nowhere'), []);
  t.same(tags(configOf(ROUTES), 'POST /by/ann'), [], 'a path that is not read is not touched');
  t.same(tags(configOf(undefined), 'DELETE /a/b'), ['/* *=a%2Fb', '/* *=a']);
});

t.test('where the answer points is reached as well, without its query', async (t) => {
  const named = { paths: ['/posts/8?x=1'], groups: ['hot'] };
  const { refresh, why } = reach(configOf(ROUTES), 'POST /posts', { named });
  t.same([...refresh], ['/posts', '/posts/:id id=8', 'tag:hot']);
  t.equal(why.get('/posts/:id id=8'), 'location');
  t.equal(why.get('tag:hot'), 'cache-group');
});

t.test('a target that needs the answer widens until there is one', async (t) => {
  const config = configOf(ROUTES);
  t.same(tags(config, 'POST /made'), ['/posts/:id']);
  t.same(tags(config, 'POST /made', { answer: { id: 8 } }), ['/posts/:id id=8']);
  t.same(tags(config, 'POST /made', { answer: { ids: 8 } }), ['/posts/:id']);
  t.same(tags(config, 'POST /made', { answer: { id: [] } }), [], 'an empty list names nothing');
});

t.test('what is computed may spell the path of a narrower route', async (t) => {
  t.same(
    tags(configOf(ROUTES), 'POST /made', { answer: { id: 'latest' } }),
    ['/posts/:id id=latest', '/posts/latest'],
  );
});

t.test('a target is bound as far as it says', async (t) => {
  const config = configOf(ROUTES);
  t.same(tags(config, 'PUT /by/ann'), ['/users/:user/posts/:id user=ann']);
  t.same(tags(config, 'POST /many', { body: { u: ['a', 'b'], p: [1, 2] } }).length, 4);
  t.same(tags(config, 'POST /many', { body: { u: 'a' } }), ['/users/:user/posts/:id']);
});

t.test('a write that names too much touches routes as a whole', async (t) => {
  const config = configOf(ROUTES);
  const ids = Array.from({ length: 40 }, (_, i) => i);
  t.same(tags(config, 'POST /many', { body: { u: ids, p: ids } }), ['/users/:user/posts/:id']);
});

t.test('a tag that cannot be computed reaches all that is read', async (t) => {
  const config = configOf(ROUTES);
  t.same(tags(config, 'POST /tagged', { body: { tag: ['a b', 'c'] } }), ['tag:a%20b', 'tag:c']);
  t.same(
    tags(config, 'POST /tagged', { body: {} }),
    [
      '/posts', '/posts/:id', '/posts/latest', '/drafts/:id', '/users/:user/posts/:id',
      '/ended/:id',
    ],
  );
});

t.test('the rules of the method that a field names count as well', async (t) => {
  const config = configOf(ROUTES);
  for (const name of ['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override']) {
    t.ok(tags(config, 'POST /posts/7', { fields: [name, 'delete'] }).includes('/drafts/:id'), name);
  }
  t.notOk(tags(config, 'POST /posts/7').includes('/drafts/:id'));
});

t.test('which bodies are read is known before they are', async (t) => {
  const config = configOf(ROUTES);
  const reads = (line: string) => {
    const [method, path] = line.split(' ') as [string, string];
    return readsBodies(
      writeRules({ method, path, query: undefined, fields: [] }, compileFinder(config.routes)),
    );
  };
  t.same(reads('POST /made'), { request: false, response: true });
  t.same(reads('POST /many'), { request: true, response: false });
  t.same(reads('PUT /posts/7'), { request: false, response: false });
});

t.test('a reload touches the routes that nobody watched', async (t) => {
  const base = configOf({ '/posts': READ, '/posts/:id': READ });
  t.same(unwatched(base, base), []);
  t.same(
    unwatched(
      base, configOf({ '/posts': READ, '/posts/:id': { ...READ, PUT: { refresh: ['/posts'] } } }),
    ),
    [], 'a new write rule needs no touch',
  );
  const more = configOf({ '/posts': READ, '/posts/:id': READ, '/posts/top': READ });
  t.same(unwatched(base, more), ['/posts/top']);
  t.same(unwatched(more, base), ['/posts/:id'], 'it takes the paths of the narrower one back');
  const writesOnly = configOf({ '/posts': { POST: { refresh: [] } }, '/posts/:id': READ });
  t.same(unwatched(writesOnly, base), ['/posts']);
  for (const change of [{ query: 'none' }, { query: ['page'] }, { tags: ['all'] }]) {
    const other = configOf({ '/posts': { GET: { ttl: '1h', ...change } }, '/posts/:id': READ });
    t.same(unwatched(base, other), ['/posts'], JSON.stringify(change));
    t.same(unwatched(other, base), ['/posts'], 'what it kept before may have been written to');
  }
  const [hour, longer] = ['1h', '2h'].map((ttl) => configOf({ '/posts': { GET: { ttl } } }));
  t.same(unwatched(hour!, longer!), [], 'for how long it is fresh says nothing of what it is');
});

t.test('two files have one hash of rules where neither leaves the other unwatched', (t) => {
  const base = configOf({ '/posts': READ, '/posts/:id': READ });
  const turned = configOf({ '/posts/:id': READ, '/posts': { ...READ, POST: { refresh: [] } } });
  t.equal(rulesHash(turned), rulesHash(base), 'the order and the writes of a read are nothing');
  const others = [
    configOf({ '/posts': READ }),
    configOf({ '/posts': READ, '/posts/:id': { PUT: { refresh: ['/posts'] } } }),
    configOf({ '/posts': READ, '/posts/:id': READ, '/posts/top': { PUT: { refresh: [] } } }),
    configOf({ '/posts': { GET: { ttl: '1h', query: 'none' } }, '/posts/:id': READ }),
    configOf(undefined),
  ];
  t.equal(new Set([base, ...others].map(rulesHash)).size, others.length + 1);
  t.end();
});
