// Draws a few figures of several servers side by side as an SVG: a panel for each figure, a bar for
// each server. It stands on a ground of its own, so that it can be read on a light page and on a
// dark one, and needs no font but those that are there.

export interface Picture {
  readonly title: string;
  /** Of the bars, the same in each panel. */
  readonly names: readonly string[];
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  readonly values: readonly number[];
  readonly print: (value: number) => string;
}

const MARGIN = 24;
const PANEL = { width: 224, gap: 24 };
const BAR = { width: 44, gap: 28, height: 150 };
const TOP = 104;
const LEGEND = { top: 56, width: 248 };
/** Told apart also by who sees no colours: by how light they are. */
const COLOURS = ['#1f6feb', '#e3a008', '#b4462a', '#6e7781'];

const STYLE = `text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.ground { fill: #ffffff; stroke: #d0d7de }
.line { stroke: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .ground { fill: #161b22; stroke: #30363d }
}`;

export function picture({ title, names, panels }: Picture): string {
  const width = 2 * MARGIN + panels.length * (PANEL.width + PANEL.gap) - PANEL.gap;
  const height = TOP + BAR.height + 64;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"`
      + ` height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    text(MARGIN, 34, title, 'class="title"'),
    ...names.flatMap((name, i) => [
      box({ x: MARGIN + i * LEGEND.width, y: LEGEND.top, width: 12, height: 12 }, i),
      text(MARGIN + i * LEGEND.width + 20, LEGEND.top + 11, name),
    ]),
    ...panels.flatMap((panel, i) => drawn(panel, MARGIN + i * (PANEL.width + PANEL.gap))),
    '</svg>', '',
  ].join('\n');
}

function drawn({ title, values, print }: Panel, left: number): string[] {
  const most = Math.max(...values.filter(Number.isFinite), Number.MIN_VALUE);
  const ground = TOP + BAR.height;
  const bars = values.flatMap((value, i) => {
    const x = left + 8 + i * (BAR.width + BAR.gap);
    const height = Math.max(1, (value / most) * (BAR.height - 24)) || 0;
    return [
      box({ x, y: ground - height, width: BAR.width, height }, i),
      text(x + BAR.width / 2, ground - height - 7, print(value), 'text-anchor="middle"'),
    ];
  });
  return [
    ...bars,
    `<path class="line" d="M${left} ${ground}h${PANEL.width}"/>`,
    text(left + PANEL.width / 2, ground + 28, title, 'text-anchor="middle"'),
  ];
}

type Box = Readonly<Record<'x' | 'y' | 'width' | 'height', number>>;

function box({ x, y, width, height }: Box, colour: number): string {
  const place = `x="${x}" y="${y.toFixed(1)}" width="${width}" height="${height.toFixed(1)}"`;
  return `<rect ${place} rx="2" fill="${COLOURS[colour % COLOURS.length]}"/>`;
}

function text(x: number, y: number, words: string, more = ''): string {
  return `<text x="${x}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`;
}

const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
