// The rules of the house, checked: which layer may know which, purity of the core, a comment at the
// head of each file, no cycles, sizes, and a map that names every file there is. What fails is told
// with its place; sizes are printed, and fail only far beyond the mark.
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const LEFT_OUT = /(^|\/)(node_modules|dist|\.tap|\.stryker|\.stryker-tmp|\.git)(\/|$)/;
const tree = globSync('**/*', { cwd: root, exclude: (path) => LEFT_OUT.test(path) })
  .concat(globSync(['.ci/*', '.taprc', '.*ignore'], { cwd: root }))
  .filter((path) => /\.(ts|js|md|ya?ml|json|lua|html|css|pml|sh)$|(^|\/)[^.]+$|^\./.test(path))
  .filter((path) => statSync(join(root, path)).isFile())
  .sort();

const sources = tree.filter((path) => /^src\/.*\.ts$/.test(path));
const headed = tree.filter((path) => /^(src|examples|scripts|bench)\/.*\.ts$/.test(path));
const parsed = new Map(headed.map((path) => [path, parse(path)]));

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
}

function ast(path: string): ts.SourceFile {
  return parsed.get(path) ?? parse(path);
}

/** What a module names as its imports: static, dynamic, types and re-exports alike. */
function importsOf(path: string): string[] {
  const named: string[] = [];
  visit(ast(path), (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      named.push((node.moduleSpecifier as ts.StringLiteral).text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      named.push((node.argument.literal as ts.StringLiteral).text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [what] = node.arguments;
      named.push(what && ts.isStringLiteral(what) ? what.text : `${place(node)} computed`);
    }
  });
  return named;
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

function place(node: ts.Node): string {
  const file = node.getSourceFile();
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

const target = (from: string, name: string): string => normalize(join(dirname(from), name));

const LAYERS = ['core', 'flow', 'io', 'admin', 'compose', 'cli'] as const;
const TOP = ['src/main.ts', 'src/plugin.ts', 'src/worker.ts'];

/** How far out a file stands: core 0 … cli 5, those at the top 6; undefined: nowhere. */
function ring(path: string): number | undefined {
  if (TOP.includes(path)) return LAYERS.length;
  const index = LAYERS.findIndex((layer) => path.startsWith(`src/${layer}/`));
  return index === -1 ? undefined : index;
}

// These decide without looking at anything, and the parsers do so as well.
const CORE_MAY_IMPORT = ['node:crypto', 'structured-headers', 'yaml'];

/** Why this import is not allowed, or undefined. */
function forbidden(from: string, name: string): string | undefined {
  const outer = ring(from)!;
  if (!name.startsWith('.')) {
    if (outer === 0 && !CORE_MAY_IMPORT.includes(name)) return 'core knows only itself';
    if (outer === 1) return 'flow knows only itself and core';
    return undefined;
  }
  const to = target(from, name);
  if (!sources.includes(to)) return 'there is no such file';
  if (ring(to)! <= outer) return undefined;
  return 'points outwards';
}

t.test('there is something to check', async (t) => {
  t.ok(sources.length > 0, 'src/ has files');
  t.ok(tree.includes('package.json') && tree.includes('test/house.test.ts'), 'the tree is whole');
});

t.test('the tests run on a Node that the package supports', async (t) => {
  const major = Number(process.versions.node.split('.')[0]);
  t.ok(major >= 22, `Node ${process.version}`);
});

t.test('what the package names of dist/ is built from src/', async (t) => {
  const { bin, exports } = JSON.parse(read('package.json')) as { bin: unknown; exports: unknown };
  const paths = (value: unknown): string[] => (typeof value === 'string'
    ? [value] : Object.values(value as Record<string, unknown>).flatMap(paths));
  const named = paths([bin, exports]);
  t.ok(named.length > 3);
  const source = (path: string): string => path.startsWith('./dist/')
    ? path.replace('./dist/', 'src/').replace(/(\.d)?\.[tj]s$/, '.ts') : path;
  t.same(named.filter((path) => !path.startsWith('./')), []);
  t.same(named.filter((path) => !existsSync(join(root, source(path)))), []);
});

t.test('every source file stands in a layer', async (t) => {
  t.same(sources.filter((path) => ring(path) === undefined), []);
});

t.test('imports point inwards only', async (t) => {
  const wrong = sources.filter((path) => ring(path) !== undefined).flatMap((from) =>
    importsOf(from).map((name) => ({ from, name, why: forbidden(from, name) }))
      .filter(({ why }) => why !== undefined));
  t.same(wrong, []);
});

t.test('no imports go round in a circle, types included', async (t) => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    const inner = importsOf(path).filter((name) => name.startsWith('.'));
    for (const name of inner) {
      const to = target(path, name);
      if (sources.includes(to)) walk(to, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sources) walk(path, []);
  t.same(cycles, []);
});

const IMPURE = new Set([
  'performance', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch',
  'Promise', 'AbortSignal', 'AbortController', 'console', 'globalThis', 'require',
]);
const IMPURE_MEMBERS = new Set(['Date.now', 'Math.random', 'crypto.randomUUID']);
const CHANCE = /^(random|getRandomValues|generate|webcrypto|subtle)/;

/** What a node does that core never does, or undefined. */
function impurity(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) return 'async';
  if (ts.isPropertyAccessExpression(node) && IMPURE_MEMBERS.has(node.getText())) {
    return node.getText();
  }
  if (ts.isImportSpecifier(node) && CHANCE.test(node.getText())) return node.getText();
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) {
    return 'new Date()';
  }
  if (!ts.isIdentifier(node) || !IMPURE.has(node.text)) return undefined;
  // A property or a declared name that only looks like the global one is harmless.
  const { parent } = node;
  const isMember = ts.isPropertyAccessExpression(parent) && parent.name === node;
  const isNamed = ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)
    || ts.isPropertyDeclaration(parent);
  return isMember || (isNamed && parent.name === node) ? undefined : node.text;
}

function impurities(file: ts.SourceFile): string[] {
  const found: string[] = [];
  visit(file, (node) => {
    const what = impurity(node);
    if (what !== undefined) found.push(`${place(node)} ${what}`);
  });
  return found;
}

t.test('the core has no clock, no chance and no promises', async (t) => {
  t.same(sources.filter((path) => ring(path) === 0).flatMap((path) => impurities(ast(path))), []);
});

t.test('a clock, chance and promises are seen where they are', async (t) => {
  const sample = `
    import { createHash, randomBytes } from 'node:crypto';
    async function a(): Promise<void> { await b; }
    const c = [Date.now(), new Date(), Math.random(), process.pid, setTimeout(a, 1)];
    const harmless = [new Date(0), entry.process, { process: 1 }, Math.max(1, 2)];`;
  const file = ts.createSourceFile('sample.ts', sample, ts.ScriptTarget.Latest, true);
  t.same(impurities(file).map((found) => found.replace('sample.ts:', '')), [
    '2 randomBytes', '3 async', '3 Promise', '3 async',
    '4 Date.now', '4 new Date()', '4 Math.random', '4 process', '4 setTimeout',
  ]);
});

/** The sentences of the comment that a file begins with; none: no such comment. */
function headSentences(text: string): string[] {
  const code = text.replace(/^#!.*\n/, '');
  const [comment] = /^(?:\/\/.*\n)+|^\/\*[\s\S]*?\*\//.exec(code) ?? [''];
  const words = comment.replace(/^\s*(\/\/|\/?\*+\/?)/gm, ' ');
  return words.replace(/\b(e\.g|i\.e|etc)\./g, '$1')
    .split(/[.!?]['")]*(?=\s|$)/).filter((sentence) => sentence.trim() !== '');
}

t.test('each file begins with a comment of one to five sentences', async (t) => {
  const counts = headed.map((path) => ({ path, sentences: headSentences(read(path)).length }));
  t.same(counts.filter(({ sentences }) => sentences < 1 || sentences > 5), []);
});

t.test('no file is called by what says nothing', async (t) => {
  const nothing = /(^|\/)(index|types|utils|util|helpers|helper|common|misc)\.(ts|js)$/;
  t.same(tree.filter((path) => nothing.test(path)), []);
  t.same(sources.filter((path) => !/^[a-z0-9/-]+\.ts$/.test(path)), [], 'names are kebab-case');
});

t.test('no type is any, no catch is empty, no error is silenced', async (t) => {
  const found: string[] = [];
  for (const path of tree.filter((path) => path.endsWith('.ts'))) {
    const file = ast(path);
    visit(file, (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${place(node)} any`);
      if (ts.isCatchClause(node) && node.block.statements.length === 0) {
        found.push(`${place(node)} an empty catch`);
      }
    });
    const silenced = /@ts-(ignore|nocheck)|eslint-disable/.exec(file.text);
    if (silenced !== null && path !== 'test/house.test.ts') found.push(`${path} ${silenced[0]}`);
  }
  t.same(found, []);
});

t.test('nothing is left to be done, and no path of one machine is in the tree', async (t) => {
  const words = [`TO${'DO'}`, `FIX${'ME'}`, `X${'XX'}`].map((word) => new RegExp(`\\b${word}\\b`));
  const paths = ['work', 'root'].map((name) => new RegExp(`(^|[^\\w/])/${name}/`, 'm'));
  const found = tree.flatMap((path) => {
    const text = read(path);
    return [...words, ...paths].filter((word) => word.test(text)).map((word) => `${path} ${word}`);
  });
  t.same(found, []);
});

const columns = (line: string): number => Array.from(line).length;

t.test('no line is longer than 100 columns', async (t) => {
  const code = tree.filter((path) => /^(src|test|examples|scripts|bench)\/.*\.ts$/.test(path));
  const long = code.flatMap((path) => read(path).split('\n')
    .flatMap((line, i) => (columns(line) > 100 ? [`${path}:${i + 1} ${columns(line)}`] : [])));
  t.same(long, []);
});

const FILE_LINES = 300;
const FUNCTION_LINES = 70;

t.test('files and functions are of a size that can be read', async (t) => {
  const sizes: { what: string; lines: number; mark: number }[] = [];
  for (const path of headed) {
    const file = ast(path);
    sizes.push({ what: path, lines: file.text.trimEnd().split('\n').length, mark: FILE_LINES });
    visit(file, (node) => {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
      const [from, to] = [node.getStart(), node.getEnd()]
        .map((at) => file.getLineAndCharacterOfPosition(at).line) as [number, number];
      sizes.push({ what: place(node), lines: to - from + 1, mark: FUNCTION_LINES });
    });
  }
  for (const { what, lines, mark } of sizes) {
    if (lines > mark) t.comment(`${what} has ${lines} lines; the mark is ${mark}`);
  }
  const files = sizes.filter(({ mark }) => mark === FILE_LINES).map(({ lines }) => lines);
  t.comment(`${files.length} files, ${files.reduce((sum, lines) => sum + lines, 0)} lines`);
  t.same(sizes.filter(({ lines, mark }) => lines > mark * 1.5), []);
});

t.test('no function takes more than four parameters', async (t) => {
  const found: string[] = [];
  for (const path of sources) {
    visit(ast(path), (node) => {
      if (ts.isFunctionLike(node) && node.parameters.length > 4) found.push(place(node));
    });
  }
  t.same(found, []);
});

t.test('the map names every file of src/, and none that is not there', async (t) => {
  t.ok(existsSync(join(root, 'src/README.md')), 'src/README.md exists');
  const map = existsSync(join(root, 'src/README.md')) ? read('src/README.md') : '';
  const named = new Set([...map.matchAll(/`([\w./-]+\.ts)`/g)].map((match) => match[1]!));
  const isNamed = (path: string, name: string): boolean =>
    path === `src/${name}` || path.endsWith(`/${name}`);
  const unnamed = sources.filter((path) => ![...named].some((name) => isNamed(path, name)));
  const unknown = [...named].filter((name) => !tree.some((path) => isNamed(path, name)));
  t.same(unnamed, [], 'every file is on the map');
  t.same(unknown, [], 'every name on the map is a file');
});
