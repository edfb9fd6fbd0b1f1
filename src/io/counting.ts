// What is counted at each request, at the cost of an addition or two: how often, by labels from
// closed lists, and how long, in typed arrays. To Prometheus these are like any other.
import { Counter, type CounterConfiguration, type Metric, type Registry } from 'prom-client';

export interface Counted {
  /** Since the counter was last looked at. */
  waiting: number;
}

/** A counter that learns what was counted when somebody looks at it. */
export class Tally<L extends string> {
  readonly #counts = new Map<string, Counted & { readonly labels: Record<L, string> }>();

  constructor(name: string, options: Omit<CounterConfiguration<L>, 'name'>) {
    const collect = (): void => {
      for (const counted of this.#counts.values()) {
        if (counted.waiting > 0) counter.inc(counted.labels, counted.waiting);
        counted.waiting = 0;
      }
    };
    const counter = new Counter({ ...options, name, collect });
  }

  /** What counts under these labels, all of them given in the same order. */
  of(labels: Record<L, string>): Counted {
    let key = '';
    for (const name in labels) key += `${labels[name]}\n`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const counted = { waiting: 0, labels };
    this.#counts.set(key, counted);
    return counted;
  }
}

export interface DurationsOptions {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** Upper bounds in seconds, rising. */
  readonly bounds: readonly number[];
}

interface Series {
  readonly count: (ms: number) => void;
  /** For each bound how many came under it and over the one before; then those over all. */
  readonly counts: Float64Array;
  seconds: number;
}

export class Durations {
  readonly #options: DurationsOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: DurationsOptions, registry: Registry) {
    this.#options = options;
    const { name, help } = options;
    const shown = (): Promise<unknown> => Promise.resolve({
      name, help, type: 'histogram', aggregator: 'sum', values: this.#values(),
    });
    // A registry asks no more of a metric than its name and this.
    registry.registerMetric({ name, get: shown } as unknown as Metric);
  }

  /** What counts under one value of the label; from a closed list. */
  of(value: string): (ms: number) => void {
    const known = this.#series.get(value);
    if (known !== undefined) return known.count;
    const { bounds } = this.#options;
    const series: Series = {
      counts: new Float64Array(bounds.length + 1),
      seconds: 0,
      count(ms) {
        const seconds = ms / 1000;
        let at = 0;
        while (at < bounds.length && seconds > bounds[at]!) at += 1;
        series.counts[at]! += 1;
        series.seconds += seconds;
      },
    };
    this.#series.set(value, series);
    return series.count;
  }

  #values(): object[] {
    const { name, label, bounds } = this.#options;
    return [...this.#series].flatMap(([value, { counts, seconds }]) => {
      let count = 0;
      const values: object[] = [];
      counts.forEach((here, i) => {
        count += here;
        values.push({
          labels: { le: bounds[i] ?? '+Inf', [label]: value }, value: count,
          metricName: `${name}_bucket`,
        });
      });
      const labels = { [label]: value };
      return [
        ...values,
        { labels, value: seconds, metricName: `${name}_sum` },
        { labels, value: count, metricName: `${name}_count` },
      ];
    });
  }
}
